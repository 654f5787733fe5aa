"""What tests of whole stores share: files compared, writers in other processes, stores of an older schema."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import sqlalchemy as sa

from usermgmt.kernel import postgres, sqlite
from usermgmt.kernel.actor import Actor
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.log import Log, first_head
from usermgmt.kernel.clock import Clock, Random
from usermgmt.kernel.store import Meta
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.migrations import KNOWN
from usermgmt.migrations.run import upgrade

OLD = "0001"
WRITER = """
import io, os, sys
from pathlib import Path
from usermgmt.kernel.streams import Streams
from usermgmt.main import run

for number in range(1, int(sys.argv[2]) + 1):
    streams = Streams(io.BytesIO(), io.BytesIO(), io.BytesIO())
    code = run(["user", "add", f"{sys.argv[1]}{number}", "--add-tag", "x"], os.environ, Path.cwd(), streams)
    assert code == 0, streams.stderr.getvalue()
    os.write(1, b".")
"""


def spawned(run, *words, code="import sys; from usermgmt.main import console; console()", **more):
    """Start a command line, or `code`, in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, *words], env={**os.environ, **run.env}, **{**pipes, **more})


@contextlib.contextmanager
def writers(run, count, rows):
    """Let `count` processes add `rows` users each while the block runs; all of them must succeed."""
    started = [spawned(run, f"w{i}x", str(rows), code=WRITER) for i in range(count)]
    for process in started:
        assert process.stdout.read(1) == b"."
    yield started
    for process in started:
        _out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err.decode()[-1000:]


def digests(folder):
    """Every file below `folder` with its SHA-256, and every directory."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        for path in sorted(Path(folder).rglob("*"))
    }


def contents(run):
    """What a store holds, row by row, apart from its lineage: of either engine, in one form."""
    rows = run("user list --json --reveal").json
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


@contextlib.contextmanager
def connected(run):
    """Give a connection in a transaction on the engine of `run`, as the kernel's own ones are."""
    if run.engine == "sqlite":
        Path(run.url).touch(0o600)
        engine = sqlite.engine(Path(run.url), busy_timeout=1)
    else:
        engine = postgres.engine(postgres.parse(run.url), busy_timeout=1, tls="verify")
    with engine.connect() as connection:
        if run.engine == "sqlite":
            sqlite.prepare(connection.connection.driver_connection, wal=True)
            connection.execution_options(writes=True)
        else:
            connection.execution_options(lockless=True)
        with connection.begin():
            yield connection
    engine.dispose()


def old_store(run, *, entries=3, reason="because"):
    """Make a store as the program of revision 0001 made it, with `entries` entries in its audit; return its meta."""
    clock = Clock(Clock().now())
    meta = Meta(Random().uuid7(clock.now()), 1, False, "CN", clock.text(), OLD)
    ctx = SimpleNamespace(
        now=clock.text(),
        change_id=Random().uuid7(clock.now()),
        actor=Actor("owner", "0", 0),
        command="init",
        reason=reason,
        random=Random(),
    )
    with connected(run) as connection:
        upgrade(connection, OLD)
        values = {name: getattr(meta, name) for name in Meta.__slots__ if name != "schema"}
        connection.execute(sa.insert(store_meta).values(id=1, **values))
        connection.execute(sa.insert(audit_head).values(**first_head(meta.store_id)))
        log = Log(connection, meta, ctx)
        log.append("store.init", "store", facts={"simulated": False, "region": "CN", "schema": OLD})
        for number in range(1, entries):
            log.append("audit.checkpoint", "store", facts={"number": number})
        log.close()
    keys.create_key(run.home / "keys" / meta.store_id)
    log.anchor(run.home / "keys" / meta.store_id, run.home / "anchors" / f"{meta.store_id}.jsonl")
    return meta


def run_in(run, line, **more):
    """Run a command line in a process of its own and return its exit code and what it said on standard error."""
    process = spawned(run, *line.split(), **more)
    _out, err = process.communicate(timeout=240)
    return process.returncode, err.decode()


def names(run, **more):
    """The usernames in a store."""
    return run("user list --fields username --no-header -o tsv", **more).lines


def info(run):
    """What a store is."""
    return run("store info --json").json


def anchored(run):
    """The last anchor of a store."""
    return anchors.last(run.home / "anchors" / f"{info(run)['store_id']}.jsonl")


def went_on(run):
    """Make a store that went on after its backup b.db: alice is in both, bob came later."""
    run("user add alice --email alice@example.com --birth-date 1990-05-17 --add-tag vip --external-id hr/7")
    run("user note alice --text hello")
    run("store backup b.db")
    run("user add bob")
    run("user suspend alice")
    return run


MADE = {
    "0002": [f'TABLE "user{end}"' for end in ("_address", "_external_id", "_former_name", "_note", "_tag", "")],
    "0003": ["TABLE import_run"],
    "0004": ["INDEX ix_user_valid_from", "TABLE tick_slot", "TABLE user_notice"],
    "0005": ["TABLE user_attribute"],
    "0006": ["TABLE audit_base"],
    "0007": ["TABLE user_bigram"],
    "0008": ["TABLE user_org", "TABLE org_unit"],
}
"""What each step of the schema made, in an order in which it can be dropped."""


def back_to(run, revision):
    """Make of a store in use one of an older schema, by dropping what came later."""
    for step in reversed(KNOWN[KNOWN.index(revision) + 1 :]):
        for made in MADE[step]:
            run.sql(f"DROP {made}")
    run.sql("UPDATE alembic_version SET version_num = ?", revision)


def old_user(connection, n, **more):
    """Write the user ``u<n>`` as a program of schema 0002 would have, with the columns ``more``."""
    then, name = "2000-01-01T00:00:00.000Z", f"u{n}"
    row = {"uid": f"{n:036}", "version": 1, "kind": "person", "status": "active", "status_at": then}
    row |= {"username": name, "username_norm": name, "skeleton": name, "created_at": then, "updated_at": then, **more}
    values = ", ".join(f":{column}" for column in row)
    connection.execute(sa.text(f'INSERT INTO "user" ({", ".join(row)}) VALUES ({values})'), row)
