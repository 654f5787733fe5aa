"""What is done to a store in the campaigns, and how to tell that nothing was lost: a row is a campaign."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store_helpers import OLD, old_store

from usermgmt.domains.help.topics import DOCS
from usermgmt.kernel import sqlite
from usermgmt.migrations import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 100
PEOPLE = 400
ENGINES = ("sqlite", "postgresql")


def nothing(_run):
    pass


def tidy(run):
    """Take away what a killed run leaves on purpose: hidden working directories, and what it had finished."""
    for path in [*run.home.glob("made*"), *run.home.glob(".*"), *run.home.glob("store.db.broken*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


class Kept:
    """A store with its keys and anchors as they were when ``keep`` was called, to begin each round from."""

    def __init__(self, run, server):
        self.run, self.server = run, server
        self.place = run.home.parent / "kept"

    def keep(self):
        self.files = {path: path.read_bytes() for path in self.run.home.rglob("*") if path.is_file()}
        self.folders = {path for path in self.run.home.rglob("*") if path.is_dir()}
        if self.server is not None:
            self.name = self.run.sql("SELECT current_database()")[0][0]
            self.copy = self.server.database(self.name)
        else:
            assert not any(path.name.endswith(("-wal", "-journal")) for path in self.files)

    def back(self):
        for path in sorted(self.run.home.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink() and path not in self.folders:
                path.rmdir()
            elif not path.is_dir() and path not in self.files:
                path.unlink()
        for path, data in self.files.items():
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)
                path.chmod(0o600)
        if self.server is not None:
            self.server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
            self.server.execute(f"CREATE DATABASE {self.name} TEMPLATE {self.copy}")


def usernames(run):
    return run("user list --fields username --no-header -o tsv").lines


def sound(run):
    """The store is whole: its file, its references, its audit, and each row as its entries say."""
    if run.engine == "sqlite":
        assert whole(run.path) == []
    run("audit verify --state")


def whole(path):
    """Return what SQLite finds wrong with a store's file."""
    connection = sqlite.driver().connect(str(path))
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + connection.execute("PRAGMA foreign_key_check").fetchall()
    finally:
        connection.close()


# -- checks: what may be there after `done` lines were acknowledged -------------------------------------------------


def added(run, done):
    there = usernames(run)
    assert there in ([f"new{i}" for i in range(n)] for n in (done, done + 1)), (there, done)
    assert all(row["tags"] == ["x"] for row in run("user list --json").json)
    return "after" if len(there) == 4 else "before" if not there else "between"


CHANGES = (
    ("user set alice --email a@example.com --full-name 李爱丽", "user.set"),
    ("user rename alice alicia", "user.rename"),
    ("user suspend alicia --reason strike", "user.suspend"),
    ("user note bob --text hello", "user.note"),
    ("user remove bob --yes", "user.remove"),
)


def two(run):
    run("user add alice --add-tag x")
    run("user add bob")


def changed(run, done):
    wanted = [action for _line, action in CHANGES]
    actions = [row["action"] for row in run("audit list --json --fields action").json if row["action"] in wanted]
    assert actions in (wanted[:done], wanted[: done + 1]), (actions, done)
    return "after" if len(actions) == len(wanted) else "before" if not actions else "between"


def bulk(run):
    for i in range(12):
        run(f"user add b{i:02d}")


def suspended(run, done):
    there = {row["status"] for row in run("user list --json").json}
    assert len(there) == 1, "one transaction: all or none"
    assert not done or there == {"suspended"}
    return "after" if there == {"suspended"} else "before"


def people(run):
    rows = "".join(f"p{i:04d},p{i:04d}@example.com\n" for i in range(PEOPLE))
    (run.home / "people.csv").write_text("username,email\n" + rows)


def imported(run, done):
    there = usernames(run)
    assert there == [f"p{i:04d}" for i in range(len(there))]
    assert len(there) % CHUNK == 0
    assert not done or len(there) == PEOPLE
    again = run(f"import users {run.home}/people.csv --json").json
    assert (again["unchanged"], again["created"]) == (len(there), PEOPLE - len(there))
    return "after" if len(there) == PEOPLE else "before" if not there else "between"


def backed_up(run, done):
    path = run.home / "made.db"
    assert not done or (path.exists() and path.with_name("made.db.manifest.json").exists())
    if path.exists():
        assert run(f"store restore {path} --dry-run --json").json["counts"]["user"] == 2
    return "after" if path.exists() else "before"


def went_on(run):
    two(run)
    run("store backup b.db")
    run("user add dave")


def restored(run, done):
    new = usernames(run) == ["alice", "bob"]
    assert new or usernames(run) == ["alice", "bob", "dave"]
    assert run("store info --json").json["lineage"] == (2 if new else 1)
    assert new or not done
    return "after" if new else "before"


def lost(run):
    went_on(run)
    run.path.unlink()


def put_back(run, done):
    if not run.path.exists():
        assert not done
        run("store restore b.db")
        assert usernames(run) == ["alice", "bob"]
        return "before"
    return restored(run, done)


def aged(run):
    old_store(run, entries=50)


def migrated(run, done):
    found = run.sql("SELECT version_num FROM alembic_version")[0][0]
    assert found in (OLD, HEAD)
    assert found == HEAD or not done
    path = run.home / "made.db"
    if path.exists():
        run(f"store restore {path} --dry-run")
    else:
        assert found == OLD, "the backup comes before the first step"
    if found == OLD:
        run(f"store migrate --backup {run.home}/made-again.db")
    assert run("audit list --json --action store.migrate").json[-1]["outcome"] == "ok"
    return "after" if found == HEAD else "before"


def pruned(run, done):
    removed = run("audit verify --state --json").json["removed"]
    archive = run.home / "made.ndjson"
    assert removed or not done
    exports = run("audit list --action audit.export -o count").out
    assert not archive.exists() or exports == "1\n", "the log knows of every archive"
    if removed:
        checking = [sys.executable, str(DOCS / "verify_audit.py"), str(archive)]
        checked = subprocess.run(checking, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked
        assert checked.stdout.splitlines()[-1].startswith(f"true: {removed} entries"), checked
    return "after" if removed else "before"


def no_store(run):
    for name in ("store.db", "store.db-line"):
        run.path.with_name(name).unlink(missing_ok=True)
    shutil.rmtree(run.home / "keys")
    shutil.rmtree(run.home / "anchors")


def created(run, done):
    there = run.path.exists()
    assert there or not done
    outcome = run("init --json").json["outcome"]
    assert outcome == ("unchanged" if there else "created")
    return "after" if there else "before"


@dataclass(frozen=True)
class Scenario:
    """Something that is done to a store: ``lines`` one after the other, after ``prepare``; ``check`` says what is left.

    ``check`` is given how many lines were acknowledged, and returns ``before``, ``between`` or ``after``.
    """

    name: str
    lines: tuple[str, ...]
    check: Callable[[Any, int], str]
    prepare: Callable[[Any], None] = nothing
    engines: tuple[str, ...] = ENGINES
    own_store: bool = False
    """It makes its store itself, from nothing."""
    follow: str = "user add after-all"
    """What must work afterwards, whatever happened."""

    def here(self, run: Any) -> list[str]:
        return [line.format(home=run.home) for line in self.lines]


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("add", tuple(f"user add new{i} --add-tag x" for i in range(4)), added),
        Scenario("change", tuple(line for line, _action in CHANGES), changed, two),
        Scenario("bulk", ("user suspend --status active --confirm-count 12",), suspended, bulk),
        Scenario("import", ("import users {home}/people.csv",), imported, people),
        Scenario("backup", ("store backup {home}/made.db",), backed_up, two),
        Scenario("restore", ("store restore {home}/b.db --yes",), restored, went_on),
        Scenario("restore-missing", ("store restore {home}/b.db",), put_back, lost, ("sqlite",)),
        Scenario("migrate", ("store migrate --backup {home}/made.db",), migrated, aged, own_store=True),
        Scenario("prune", ("audit prune --before 0s --archive {home}/made.ndjson --yes",), pruned, two),
        Scenario("init", ("init",), created, no_store, ("sqlite",)),
        # store rekey, encrypt, copy-to: a row here is a campaign of kills, of power cuts and of failing calls
    )
}

ALL = [pytest.param(one.name, marks=[pytest.mark.store()] if one.own_store else []) for one in SCENARIOS.values()]
"""Every scenario, as parameters of a test."""

ENVIRONMENT = {"USERMGMT_IMPORT_CHUNK": str(CHUNK), "USERMGMT_AUDIT_RETENTION": "0"}


def ready(run, scenario, kept):
    """Bring the store to where the scenario begins, and keep it."""
    if run.engine not in scenario.engines:
        pytest.skip("the same as another scenario there")
    scenario.prepare(run)
    if run.engine == "sqlite" and scenario.name not in ("init", "restore-missing"):
        assert not Path(run.url + "-wal").exists()
    kept.keep()
