"""Import of 100,000 users into PostgreSQL against `COPY` of the same rows into the same tables and indexes.

The peer is given what the import has to work out: the rows of users and of their audit entries, as `COPY` wrote them,
in files. It is a process too, in one transaction, and its tables were made by `init`. Commits wait for the disk.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

import pytest
from bench_import import SIZE, make
from measure import PROGRAM, process, seconds

pytestmark = [pytest.mark.bench, pytest.mark.engines("postgresql"), pytest.mark.store()]
TABLES = ("user", "user_bigram", "audit_entry", "audit_pii")
PEER = """
import sys
from pathlib import Path
import psycopg

with psycopg.connect(sys.argv[1]) as connection:
    for path in sys.argv[2:]:
        copy = connection.cursor().copy(f'COPY "{Path(path).name}" FROM STDIN')
        with copy as writer, open(path, "rb") as stream:
            while block := stream.read(1 << 16):
                writer.write(block)
"""


@pytest.fixture
def durable(postgres):
    """A server that keeps what it committed, as one of operation does."""
    settings = ("fsync", "synchronous_commit", "full_page_writes")
    for value in ("on", "off"):
        for setting in settings:
            postgres.execute(f"ALTER SYSTEM SET {setting} = {value}")
        postgres.execute("SELECT pg_reload_conf()")
        if value == "on":
            yield postgres


def plain(url):
    return url.replace("+psycopg", "")


def dump(run, folder):
    """Write the rows that the import made, in the order of their ids."""
    import psycopg

    with psycopg.connect(plain(run.url)) as connection:
        for name in TABLES:
            audit = name.startswith("audit_")
            rows = f'SELECT * FROM "{name}" {"WHERE seq > 1" if audit else ""} ORDER BY {"seq" if audit else 1}'
            with (folder / name).open("wb") as stream, connection.cursor().copy(f"COPY ({rows}) TO STDOUT") as copy:
                for block in copy:
                    stream.write(block)


def test_import(run, durable, tmp_path):
    source = make(tmp_path / "users.csv", SIZE)
    env = {**os.environ, **run.env}
    run("init --region CN")
    empty = run.sql("SELECT current_database()")[0][0]
    line = [*PROGRAM, "import", "users", str(source), "-q"]

    def ours():
        name = durable.database(empty)
        # each is a store of the same id, whose anchors would speak against one another
        own = {**env, "USERMGMT_AUDIT_ANCHOR_DIR": str(tmp_path / name)}
        took = seconds(process([*line, "--store", durable.url(name)], own, tmp_path))
        durable.execute(f"DROP DATABASE {name}")
        return took

    def peer(files):
        name = durable.database(empty)
        took = seconds(process([sys.executable, "-c", PEER, plain(durable.url(name)), *files], env, tmp_path))
        durable.execute(f"DROP DATABASE {name}")
        return took

    filled = durable.database(empty)
    # the first run also warms the caches
    process([*line, "--store", durable.url(filled)], env, tmp_path)()
    run.url = durable.url(filled)
    folder = tmp_path / "rows"
    folder.mkdir()
    dump(run, folder)
    durable.execute(f"DROP DATABASE {filled}")
    files = [str(folder / name) for name in TABLES]
    both = [(ours(), peer(files)) for _round in range(int(os.environ.get("USERMGMT_BENCH_RUNS", "5")))]
    mine, theirs = (statistics.median(times) for times in zip(*both, strict=True))
    ratio = statistics.median(a / b for a, b in both)
    rows = sum(path.read_bytes().count(b"\n") for path in map(Path, files))
    print(f"\nimport of {SIZE} users into PostgreSQL, validated and audited: {mine * 1000:.0f} ms")
    print(f"  COPY of the same {rows} rows, same indexes: {theirs * 1000:.0f} ms, ratio {ratio:.2f}")
