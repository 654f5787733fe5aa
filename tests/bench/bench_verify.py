"""Audit verification against a loop that reads the same rows and takes one SHA-256 of each."""

from __future__ import annotations

from hashlib import sha256

import pytest
from bench_import import make
from measure import paired

from usermgmt.kernel import sqlite

pytestmark = [pytest.mark.bench, pytest.mark.engines("sqlite")]


def plain(path):
    connection = sqlite.driver().connect(str(path))
    for table, order in (("audit_entry", "seq"), ("audit_pii", "seq, part")):
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}"):
            sha256("".join(map(str, row)).encode()).digest()
    connection.close()


def test_verify(run, tmp_path):
    run(f"import users {make(tmp_path / 'u.csv', 100_000)} -q")
    paired("audit verify, 100k entries", lambda: run("audit verify"), {"read and hash": lambda: plain(run.path)}, 5)
    paired(
        "audit verify --state, 100k users",
        lambda: run("audit verify --state"),
        {"read and hash": lambda: plain(run.path)},
        3,
    )
