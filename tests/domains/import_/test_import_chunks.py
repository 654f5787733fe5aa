"""How much of an import is one transaction: much while nobody waits, little for whoever does."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from usermgmt.domains.import_ import runs
from usermgmt.domains.import_.runs import Room
from usermgmt.domains.user.importing import UserSession


def save(run, count):
    path = run.home / "u.csv"
    path.write_text("username\n" + "".join(f"u{n}\n" for n in range(count)))
    return path


def test_who_waits_comes_between_two_chunks(run, monkeypatch):
    path = save(run, 6)
    monkeypatch.setattr(runs, "SLICE", 1)
    monkeypatch.setattr(runs, "SHARE", 0.0)
    whole, waiting = UserSession.write, []

    def write(self, *words, **options):
        if not waiting:
            env = {**os.environ, **run.env, "USERMGMT_STORE_BUSY_TIMEOUT": "10m"}
            words_of_other = [sys.executable, "-m", "usermgmt", "user", "add", "between"]
            waiting.append(subprocess.Popen(words_of_other, env=env))
            while not self._ctx.store.waited_for():
                time.sleep(0.002)
        return whole(self, *words, **options)

    monkeypatch.setattr(UserSession, "write", write)
    run(f"import users {path}")
    assert waiting[0].wait() == 0
    names = run("user list --fields username --no-header -o tsv").lines
    assert sorted(names) == ["between", *(f"u{n}" for n in range(6))]
    if run.engine == "sqlite":
        # its ticket is older than that of the second chunk; a server's lock knows no line
        assert names[1] == "between"
    run("audit verify --state")


def test_who_is_alone_writes_all_in_one(run, monkeypatch):
    monkeypatch.setattr(runs, "SLICE", 1)
    monkeypatch.setattr(runs, "SHARE", 0.0)
    began = len(run("audit list --fields seq --no-header -o tsv").lines)
    run(f"import users {save(run, 6)}")
    entries = run("audit list --fields change_id,at,action --json").json
    assert len(entries) == began + 7
    assert len({entry["at"] for entry in entries if entry["action"] == "user.add"}) == 1


def test_a_chunk_has_room_for_so_many_records_and_so_much_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(runs, "monotonic", lambda: now[0])
    alone, waited_for = Room(10, lambda: False), Room(10, lambda: True)
    assert (alone.left(0), alone.left(9), alone.left(10), alone.left(11)) == (10, 1, 0, 0)
    assert waited_for.left(0) == 10
    now[0] = runs.SHARE
    assert (alone.left(1), waited_for.left(1)) == (9, 0)
    now[0] = runs.LONGEST
    assert alone.left(1) == 0
