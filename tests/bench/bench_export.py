"""Export of 100,000 users as NDJSON against the `sqlite3` program writing JSON of the same table."""

from __future__ import annotations

import os
import shutil

import pytest
from bench_import import SIZE, make
from measure import PROGRAM, paired, process

pytestmark = [pytest.mark.bench, pytest.mark.engines("sqlite")]


def test_export(run, tmp_path):
    if shutil.which("sqlite3") is None:
        pytest.skip("the sqlite3 program is not installed")
    run(["import", "users", str(make(tmp_path / "users.csv", SIZE)), "-q"])
    env = {**os.environ, **run.env}
    peer = process(["sqlite3", "-json", str(run.path), 'SELECT * FROM "user"'], env, tmp_path)
    for form in ("ndjson", "csv"):
        ours = process([*PROGRAM, "export", "users", "-o", form, "-q"], env, tmp_path)
        paired(f"export of {SIZE} users, {form}", ours, {"sqlite3 -json": peer}, runs=5)
