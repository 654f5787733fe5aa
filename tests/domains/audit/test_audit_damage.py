"""A file whose bytes changed on the disk: what no row shows is told as well."""

from __future__ import annotations

import pytest

from usermgmt.kernel import sqlite

pytestmark = pytest.mark.engines("sqlite")

LEAF_OF_AN_INDEX = 10
"""The first byte of such a page (sqlite.org/fileformat2.html, 1.6)."""


def rewritten(run, statement):
    """Change the catalogue of a store as only somebody with SQLite in his hands can."""
    connection = sqlite.driver().connect(str(run.path), isolation_level=None)
    connection.execute("PRAGMA writable_schema=ON")
    assert connection.execute(statement).rowcount == 1
    connection.close()


def test_an_index_that_lost_a_row_is_told(run):
    run("user add zebedee")
    run("audit verify --state")
    data = bytearray(run.path.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    for start in range(size, len(data), size):
        # the personal parts of the log are kept as an index too
        if data[start] == LEAF_OF_AN_INDEX and b'"zebedee"' not in data[start : start + size]:
            data[start : start + size] = data[start : start + size].replace(b"zebedee", b"zebedef")
    run.path.write_bytes(data)
    # every row is there and as its entries say, but who looks for it does not find it
    run("user show username:zebedee", exit=3)
    run("audit verify")
    assert "damaged" in run("audit verify --state", exit=12).err


@pytest.mark.parametrize("name", ["sqlite_autoindex_user_1", "ix_audit_entry_at"])
def test_an_index_that_the_catalogue_gives_to_another_table_is_told(run, name):
    rewritten(run, f"UPDATE sqlite_master SET tbl_name = 'another' WHERE name = '{name}'")
    assert name in run("audit verify", exit=12).err


@pytest.mark.parametrize("name", ["frontiEX", "fronti" + chr(0xE9)])
def test_a_column_that_the_catalogue_calls_otherwise_is_told(run, name):
    rewritten(run, f"UPDATE sqlite_master SET sql = replace(sql, 'frontier', '{name}') WHERE name = 'audit_head'")
    assert run("audit verify --json", exit=12).error["code"] == "integrity"


def test_a_catalogue_with_a_name_that_is_no_text_is_damage(run):
    rewritten(run, "UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT), sql = 'x' WHERE name = 'user_note'")
    assert run("user list --json", exit=12).error["code"] == "integrity"
