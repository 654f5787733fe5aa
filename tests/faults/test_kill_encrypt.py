"""kill -9 at random instants of encrypt, rekey and decrypt: the old or the new file, its key here, nothing lost."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from campaigns import dice, figures  # noqa: F401 - fixtures

sys.path.append(str(Path(__file__).parents[1] / "domains" / "store"))
from store_helpers import contents, spawned

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.engines("sqlite"),
    pytest.mark.store("--encrypt --region CN"),
]
KILLS = 40
USERS = 1000
"""Enough for the copying to take a good part of the time."""


@pytest.fixture
def filled(run):
    rows = "".join(f"u{n},canary-{n}\n" for n in range(USERS))
    run("import users -", stdin="username,display_name\n" + rows)
    return run


def state(run):
    told = run("store info --json").json
    return told["encrypted"], told["key"], told["lineage"]


def entries(run, verb):
    return len(run(f"audit list --json --action store.{verb}").json)


class Rounds:
    """Runs of one command, each killed at an instant, on a store that may be the one before or the one after."""

    def __init__(self, run, dice):
        self.run, self.dice = run, dice
        self.before = contents(run)
        self.usual = {}

    def measured(self, verb):
        if verb not in self.usual:
            began = time.monotonic()
            self.finished(verb)
            self.usual[verb] = time.monotonic() - began
        return self.usual[verb]

    def finished(self, verb):
        process = spawned(self.run, "store", verb)
        _out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()

    def kill(self, verb):
        usual = self.usual[verb]
        process = spawned(self.run, "store", verb)
        time.sleep(self.dice.triangular(0.1, usual * 1.15, usual))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)

    def check(self):
        """All is there, whichever file it is; and what was killed did not lose the way to go on."""
        run = self.run
        assert contents(run) == self.before
        assert run("audit verify --state --json").json["holds"] is True
        assert state(run)[2] == 1
        for path in run.home.glob(".store.db.*"):
            assert path.name.startswith(".store.db.recode.")


def traces(run):
    """Files of the home, other than the store, in which a user's name stands in plain."""
    return [path for path in run.home.rglob("*") if path.is_file() and b"canary-" in path.read_bytes()]


def instants(scenario, found):
    """What the page says of kills at random instants."""
    counts = {"kills": sum(found.values()), "before": found["old"], "after": found["new"]}
    return {"scenario": scenario, "engine": "sqlite", **counts}


def test_a_killed_rekey_leaves_the_old_or_the_new_key(filled, dice, figures):
    run, rounds = filled, Rounds(filled, dice)
    rounds.measured("rekey")
    found = {"old": 0, "new": 0}
    for _attempt in range(KILLS):
        key, done = state(run)[1], entries(run, "rekey")
        rounds.kill("rekey")
        rounds.check()
        new = state(run)[1] != key
        found["new" if new else "old"] += 1
        # the entry and the file are one: both are there, or neither
        assert entries(run, "rekey") == done + new
        assert traces(run) == []
    rounds.finished("rekey")
    assert list(run.home.glob(".store.db.*")) == []
    print(f"{KILLS} kills within {rounds.usual['rekey']:.2f} s")
    figures("instants", **instants("rekey", found))
    assert found["old"]


def test_a_killed_encrypt_or_decrypt_leaves_the_old_or_the_new(filled, dice, figures):
    run, rounds = filled, Rounds(filled, dice)
    rounds.measured("decrypt")
    rounds.measured("encrypt")
    found = {"old": 0, "new": 0}
    for _attempt in range(KILLS):
        encrypted = state(run)[0]
        rounds.kill("decrypt" if encrypted else "encrypt")
        rounds.check()
        found["new" if state(run)[0] != encrypted else "old"] += 1
    rounds.finished("decrypt")
    rounds.finished("encrypt")
    assert traces(run) == []
    assert {path.name for path in run.home.glob("*store.db*")} == {"store.db", "store.db-line"}
    figures("instants", **instants("encrypt, decrypt", found))
    assert found["old"]


def test_a_rekey_killed_as_the_new_file_takes_its_name(filled, dice, figures):
    """The last moments, one by one: killed as soon as the new file, its key or its name can be seen."""
    run, rounds = filled, Rounds(filled, dice)
    found = {"old": 0, "new": 0}
    for _attempt in range(KILLS):
        key, inode = state(run)[1], run.path.stat().st_ino
        delay = dice.uniform(0, 0.03)
        process = spawned(run, "store", "rekey")
        while process.poll() is None and run.path.stat().st_ino == inode:
            copies = [path.stat().st_size for path in run.home.glob(".store.db.recode.*/store.db") if path.exists()]
            if copies and copies[0] >= run.path.stat().st_size and dice.random() < 0.2:
                break
            time.sleep(0.0005)
        time.sleep(delay if dice.random() < 0.5 else 0)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        rounds.check()
        found["new" if state(run)[1] != key else "old"] += 1
    figures("instants", **instants("rekey, as files are exchanged", found))
    assert all(found.values())


def test_a_killed_rekey_with_a_key_file_elsewhere(filled, dice, tmp_path):
    run = filled
    (tmp_path / "vault").mkdir(mode=0o700)
    place = tmp_path / "vault" / "store.key"
    (made,) = (run.home / "keys").glob("*/store-*.key")
    shutil.move(made, place)
    run.env["USERMGMT_STORE_KEY_FILE"] = str(place)
    rounds = Rounds(run, dice)
    rounds.measured("rekey")
    for _attempt in range(KILLS // 2):
        rounds.kill("rekey")
        rounds.check()
    rounds.finished("rekey")
    run("doctor")


def test_writers_go_on_through_a_rekey(filled):
    """Processes that write all the while: no change that was told of as done is lost, whichever file it went to."""
    run = filled
    code = (
        "import io, os, sys\nfrom pathlib import Path\nfrom usermgmt.kernel.streams import Streams\n"
        "from usermgmt.main import run\n"
        "for n in range(60):\n"
        "    code = run(['user', 'add', f'{sys.argv[1]}{n}'], os.environ, Path.cwd(),\n"
        "               Streams(io.BytesIO(), io.BytesIO(), io.BytesIO()))\n"
        "    if code == 0: os.write(1, f'{sys.argv[1]}{n}\\n'.encode())\n"
    )
    run.env["USERMGMT_STORE_BUSY_TIMEOUT"] = "60s"
    started = [spawned(run, f"w{i}x", code=code) for i in range(4)]
    rekeyed = 0
    while any(process.poll() is None for process in started):
        rekeyed += run("store rekey", exit=None).exit == 0
    told = [name for process in started for name in process.communicate(timeout=240)[0].decode().split()]
    there = set(run("user list --fields username --no-header -o tsv").lines)
    print(f"{len(told)} changes beside {rekeyed} rekeys")
    assert set(told) <= there
    assert len(told) == 240
    assert rekeyed
    run("audit verify --state")
