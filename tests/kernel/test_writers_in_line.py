"""Writers stand in line: who came first writes first, who is killed steps out, and no planted file misleads them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "domains" / "store"))
from store_helpers import old_store

from usermgmt.kernel import turns

pytestmark = pytest.mark.engines("sqlite")

HOLDER = """
import sys, time
from pathlib import Path
from usermgmt.kernel.turns import turn
with turn(Path(sys.argv[1]), 5):
    print("held", flush=True)
    time.sleep(600)
"""


def standing(store):
    """How many hold or wait for a turn."""
    file = os.open(turns.beside(store), os.O_RDONLY)
    try:
        return turns._ahead(file, 1 << 62)
    finally:
        os.close(file)


def busy(run, line):
    answer = run(line, env={"USERMGMT_STORE_BUSY_TIMEOUT": "1s"}, exit=8)
    assert "locked by another program" in answer.err


def until(condition):
    while not condition():
        time.sleep(0.002)


@pytest.fixture
def held(run):
    """A turn that another process has."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, run.path], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def spawned(run, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "usermgmt", *words],
        env={**os.environ, **run.env, "USERMGMT_STORE_BUSY_TIMEOUT": "10m"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_who_came_first_writes_first(run):
    order = []

    def member(number):
        with turns.turn(run.path, 60):
            order.append(number)

    members = [threading.Thread(target=member, args=(number,)) for number in range(20)]
    with turns.turn(run.path, 60):
        for number, one in enumerate(members):
            one.start()
            # counted up to a limit: beyond it, each has a moment to draw its ticket
            until(lambda number=number: standing(run.path) >= min(number + 2, turns._FAR))
            time.sleep(0.02 if number >= turns._FAR - 2 else 0)
    for one in members:
        one.join()
    assert order[: turns._FAR - 2] == list(range(turns._FAR - 2))
    assert sorted(order) == list(range(20))


def test_a_turn_that_does_not_come_is_8(run, held):
    busy(run, "user add alice")
    assert run("user list -o count").out == "0\n"


def test_who_is_killed_in_his_turn_steps_out(run, held):
    process = spawned(run, "user", "add", "alice")
    until(lambda: standing(run.path) == 2)
    held.kill()
    assert process.wait() == 0
    process.communicate()
    run("user show alice")
    assert standing(run.path) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_waiting(run, held, number, code):
    process = spawned(run, "user", "add", "alice")
    until(lambda: standing(run.path) == 2)
    process.send_signal(number)
    _out, err = process.communicate()
    assert process.returncode == code, err
    assert standing(run.path) == 1


def test_readers_do_not_stand_in_line(run, held):
    run("user list")
    run("audit verify --state")
    run("store backup b.db --dry-run")


@pytest.mark.parametrize("line", ["store restore b.db --yes", "user list --reveal", "import users u.csv"])
def test_everything_that_writes_stands_in_line(run, tmp_path, line):
    (run.home / "u.csv").write_text("username\nzoe\n")
    run("user add alice")
    run("store backup b.db")
    with turns.turn(run.path, 5):
        busy(run, line)
    run(line)


@pytest.mark.store
def test_a_migration_stands_in_line(run):
    old_store(run)
    with turns.turn(run.path, 5):
        busy(run, "store migrate")
    run("store migrate")


def test_the_line_is_a_private_and_empty_file(run):
    run("user add alice")
    info = turns.beside(run.path).lstat()
    assert (stat.S_IMODE(info.st_mode), info.st_size) == (0o600, 0)


def test_a_planted_link_is_refused_and_not_followed(run, tmp_path):
    victim = tmp_path / "victim"
    turns.beside(run.path).unlink(missing_ok=True)
    for target in (victim, run.path):
        turns.beside(run.path).symlink_to(target)
        assert run("user add alice --json", exit=8).error["code"] == "store.unsafe"
        turns.beside(run.path).unlink()
    assert not victim.exists()
    run("user add alice")


def test_a_pipe_or_directory_in_its_place_is_refused(run):
    path = turns.beside(run.path)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert run("user add alice --json", exit=8).error["code"] == "store.unsafe"
    path.unlink()
    path.mkdir()
    assert run("user add alice --json", exit=8).error["code"] == "store.unsafe"


def test_without_a_line_writers_wait_as_sqlite_lets_them(run, monkeypatch):
    """A directory that takes no new file: the journals could not be made either, unless they are there."""
    turns.beside(run.path).unlink(missing_ok=True)
    opened = os.open

    def full(path, flags, mode=0o777, **more):
        if str(path).endswith(turns.SUFFIX) and flags & os.O_CREAT:
            raise OSError(28, "No space left on device")
        return opened(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", full)
    run("user add alice")
    assert not turns.beside(run.path).exists()


def test_a_job_is_held_by_one_and_stands_in_nobodys_way(tmp_path):
    store = tmp_path / "s.db"
    store.touch(0o600)
    with turns.job(store, 7) as mine, turns.job(store, 7) as second, turns.job(store, (1 << 60) - 1) as other:
        assert (mine, second, other) == (True, False, True)
        assert turns.jobs(store, {6, 7, (1 << 60) - 1}) == {7, (1 << 60) - 1}
        with turns.turn(store, 0.0) as turn:
            assert turn.left == 0.0
    assert turns.jobs(store, {7}) == set()


def test_whose_turn_it_is_can_tell_that_somebody_waits(run):
    with turns.turn(run.path, 5) as mine:
        assert not mine.waited_for()
        with turns.job(run.path, 7):
            assert not mine.waited_for()
        process = spawned(run, "user", "add", "alice")
        until(mine.waited_for)
    assert process.wait() == 0
    process.communicate()


def test_where_there_is_no_line_somebody_may_always_wait():
    assert turns.Turn(1.0).waited_for()
