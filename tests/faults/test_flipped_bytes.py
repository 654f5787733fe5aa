"""Every byte of a store's file, flipped: the program says so, or nothing that it keeps reads differently for it."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from campaigns import dice, figures  # noqa: F401 - fixtures
from scenarios import sound, whole

from usermgmt.kernel import sqlite

STEP = int(os.environ.get("USERMGMT_FAULT_FLIP_STEP", "7"))
"""Flip each byte with this distance from the last; 1: all of them."""

pytestmark = pytest.mark.engines("sqlite")

# Columns that the audit does not hold, and why not: tests/domains/audit/test_audit_cells.py. Beside them the next
# number of each table, which SQLite keeps.
UNAUDITED = {"user.0", "user_note.0", "sqlite_sequence.0", "sqlite_sequence.1"}


@pytest.fixture
def store(run):
    run("user add alice --email alice@example.com --add-tag vip --add-address email:a2@example.com")
    run("user set alice --phone 13800138000 --full-name 李爱丽 --birth-date 1990-01-01")
    run("user note alice --text hello")
    run("user add bob --external-id hr/7")
    run("user rename bob robert")
    run("user add carol")
    run("user remove carol --yes")
    sound(run)
    # pages as small as they can be: less of the file is empty
    connection = sqlite.driver().connect(str(run.path), isolation_level=None)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA page_size=512")
    connection.execute("VACUUM")
    connection.close()
    sound(run)
    return run


def contents(path):
    """All that the file says, read from its tables; None where it cannot be read."""
    connection = sqlite.driver().connect(f"file:{path}?mode=ro", uri=True)
    connection.text_factory = bytes
    try:
        query = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY 1, 2"
        # a blank and a line's end are the same to whoever reads a definition
        schema = [(*row[:3], b" ".join(row[3].split())) for row in connection.execute(query)]
        names = [row[1].decode() for row in schema if row[0] == b"table"]
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
        mark = connection.execute("PRAGMA application_id").fetchone()
    except (sqlite.driver().Error, UnicodeDecodeError):
        return None
    else:
        return schema, rows, mark
    finally:
        connection.close()


def broken(path):
    try:
        return whole(path)
    except (sqlite.driver().Error, UnicodeDecodeError):
        return ["it cannot be read"]


def kind(run, before):
    """What one flipped byte did, and whether the program says so."""
    after, damage = contents(run.path), broken(run.path)
    if after == before and not damage:
        return "nothing reads differently"
    answer = run("audit verify --state", exit=None)
    if answer.exit in (8, 12):
        return "told"
    if answer.exit:
        return f"exit {answer.exit}: {answer.err}"
    what = differing(before, after)
    return "not audited, on purpose" if set(what) <= UNAUDITED and not damage else f"silent: {what} {damage[:2]}"


def differing(before, after):
    if after is None or before[0] != after[0] or before[2] != after[2]:
        return ["schema"]
    return sorted(cells(before[1], after[1]))


def cells(before, after):
    """The tables and columns in which two stores differ; a table alone where the rows are not the same ones."""
    for table, rows in before.items():
        others = after.get(table, [])
        if len(rows) != len(others):
            yield table
            continue
        for one, other in zip(rows, others, strict=True):
            yield from (f"{table}.{at}" for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)


def flipped(run, offsets, dice):
    before, data = contents(run.path), run.path.read_bytes()
    found, silent = Counter(), []
    for at in offsets:
        mask = dice.randint(1, 255)
        with run.path.open("r+b") as file:
            file.seek(at)
            file.write(bytes([data[at] ^ mask]))
        what = kind(run, before)
        if run.path.stat().st_size != len(data):
            run.path.write_bytes(data)
        with run.path.open("r+b") as file:
            file.seek(at)
            file.write(data[at : at + 1])
        if what.startswith(("silent", "exit")):
            silent.append((at, mask, what))
            what = what.partition(":")[0]
        found[what] += 1
    assert run.path.read_bytes() == data
    sound(run)
    return found, silent


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_flipped_byte_is_told_or_means_nothing(store, dice, figures):
    size = store.path.stat().st_size
    found, silent = flipped(store, range(dice.randrange(STEP), size, STEP), dice)
    figures("flips", bytes=size, step=STEP, seed=dice.began, **found)
    assert silent == [], "\n".join(map(str, silent))


def test_some_flipped_bytes(store):
    dice = random.Random(1)
    size = store.path.stat().st_size
    found, silent = flipped(store, sorted(dice.sample(range(size), 60)), dice)
    assert silent == [], "\n".join(map(str, silent))
    assert found["told"]
