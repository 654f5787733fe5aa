"""kill -9 at random instants of migrations, backups and restores: the old or the new, whole, and never between."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "domains" / "store"))
from store_helpers import OLD, old_store, spawned

from usermgmt.migrations import HEAD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.store()]

KILLS = 20
ENTRIES = 5_000
"""Enough for the copying to take a good part of the time."""


@pytest.fixture
def dice():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def seconds(run, line):
    """How long the command takes when it is let finish."""
    began = time.monotonic()
    process = spawned(run, *line.split())
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    return time.monotonic() - began


def instant(dice, usual):
    """A moment of a command that takes `usual` seconds, rather near its end, where it changes things."""
    return dice.triangular(0.1, usual * 1.15, usual)


def killed(run, line, wait):
    """Start the command and kill it once `wait(process)` is over."""
    process = spawned(run, *line.split())
    wait(process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def tidy(run):
    for path in [*run.home.glob("killed*"), *run.home.glob(".*"), *run.home.glob("store.db.broken*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


class Kept:
    """A store as it was, to begin each round from."""

    def __init__(self, run, request):
        self.run = run
        self.server = request.getfixturevalue("postgres") if run.engine == "postgresql" else None
        self.anchors = {path: path.read_bytes() for path in (run.home / "anchors").iterdir()}
        if self.server is None:
            shutil.copy(run.path, run.home / "kept.db")
        else:
            self.name = run.sql("SELECT current_database()")[0][0]
            self.copy = self.server.database(self.name)

    def back(self):
        for path, data in self.anchors.items():
            path.write_bytes(data)
        if self.server is None:
            for end in ("", "-wal", "-shm", "-journal"):
                self.run.path.with_name("store.db" + end).unlink(missing_ok=True)
            shutil.copy(self.run.home / "kept.db", self.run.path)
        else:
            self.server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
            self.server.execute(f"CREATE DATABASE {self.name} TEMPLATE {self.copy}")


def schema(run):
    return run.sql("SELECT version_num FROM alembic_version")[0][0]


def test_a_killed_migration_leaves_the_old_or_the_new(run, request, dice):
    old_store(run, entries=ENTRIES)
    kept = Kept(run, request)
    line = f"store migrate --backup {run.home}/killed0.db"
    # the first run also warms the caches
    seconds(run, line)
    kept.back()
    usual = seconds(run, line.replace("killed0", "killed00"))
    found = {OLD: 0, HEAD: 0}
    for attempt in range(1, KILLS + 1):
        kept.back()
        killed(
            run, f"store migrate --backup {run.home}/killed{attempt}.db", lambda _p: time.sleep(instant(dice, usual))
        )
        found[schema(run)] += 1
        if schema(run) == OLD:
            assert run.sql("SELECT seq FROM audit_head") == [(ENTRIES,)]
            run(f"store migrate --backup {run.home}/killed-again{attempt}.db")
        assert run("audit list --json --action store.migrate").json[-1]["outcome"] == "ok"
        run("audit verify --state")
        for path in run.home.glob("killed*.db"):
            run(f"store restore {path} --dry-run")
        tidy(run)
    print(f"{run.engine}: {KILLS} kills within {usual:.2f} s: {found}")
    assert found[OLD]


def grown(run):
    """A store of this schema with many entries and a few users."""
    old_store(run, entries=ENTRIES)
    run(f"store migrate --backup {run.home}/before.db")
    for name in ("alice", "bob", "carol"):
        run(f"user add {name} --add-tag x")


def test_a_killed_backup_is_whole_or_not_there(run, dice):
    grown(run)
    usual = [seconds(run, f"store backup {run.home}/killed-{i}.db") for i in (1, 2)][1]
    there = 0
    for attempt in range(1, KILLS + 1):
        path = run.home / f"killed{attempt}.db"
        killed(run, f"store backup {path}", lambda _p: time.sleep(instant(dice, usual)))
        if path.exists():
            there += 1
            assert run(f"store restore {path} --dry-run --json").json["counts"]["user"] == 3
        else:
            assert not path.with_name(path.name + ".manifest.json").exists()
        run("audit verify")
        tidy(run)
    print(f"{run.engine}: {KILLS} kills within {usual:.2f} s: {there} backups there")
    assert there < KILLS


@pytest.mark.parametrize("place", ["over", "missing"])
def test_a_killed_restore_leaves_the_old_or_the_new(run, request, dice, place):
    if place == "missing" and run.engine == "postgresql":
        pytest.skip("an empty database is a place like any other")
    grown(run)
    run("store backup b.db")
    run("user add dave")
    kept = Kept(run, request)
    line = f"store restore {run.home}/b.db --yes"
    seconds(run, line)
    kept.back()
    usual = seconds(run, line)
    found = {"old": 0, "new": 0, "none": 0}
    for _attempt in range(KILLS):
        kept.back()
        if place == "missing":
            run.path.unlink()
        killed(run, line, lambda _p: time.sleep(instant(dice, usual)))
        if place == "missing" and not run.path.exists():
            found["none"] += 1
            run(f"store restore {run.home}/b.db")
        names = run("user list --fields username --no-header -o tsv").lines
        lineage = run("store info --json").json["lineage"]
        new = "dave" not in names
        assert (names, lineage) == (["alice", "bob", "carol"], 2) if new else (["alice", "bob", "carol", "dave"], 1)
        found["new" if new else "old"] += 1
        run("audit verify --state")
        run("user add erin")
        tidy(run)
    print(f"{run.engine}, {place}: {KILLS} kills within {usual:.2f} s: {found}")
    assert found["old"] or found["none"]


def length(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.engines("sqlite")
def test_a_restore_killed_while_it_writes_over_the_store_leaves_the_old_or_the_new(run, request, dice):
    grown(run)
    run("store backup b.db")
    run("user add dave")
    kept = Kept(run, request)
    log, size = run.path.with_name("store.db-wal"), run.path.stat().st_size
    found = {1: 0, 2: 0}
    for _attempt in range(KILLS):
        kept.back()
        enough = dice.uniform(1, size)

        def written(process, enough=enough):
            while process.poll() is None and length(log) < enough:
                time.sleep(0.0002)

        killed(run, f"store restore {run.home}/b.db --yes", written)
        lineage = run("store info --json").json["lineage"]
        assert run("user list -o count").out == {1: "4\n", 2: "3\n"}[lineage]
        found[lineage] += 1
        run("audit verify --state")
        tidy(run)
    print(f"{KILLS} kills while the log grew: lineages {found}")
    assert found[1]
