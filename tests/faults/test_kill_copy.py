"""kill -9 at random instants of `store copy-to`: the copy is there whole or not at all, and the original goes on."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from campaigns import dice, figures  # noqa: F401 - fixtures
from conftest import Runner

sys.path.append(str(Path(__file__).parents[1] / "domains" / "store"))
from store_helpers import spawned

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KILLS = 25
USERS = 2_000
"""Enough for the copying to take a good part of the time."""


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_a_killed_copy_is_whole_or_not_there(run, request, tmp_path, dice, figures, to):
    run("import users - -q", stdin="username,email\n" + "".join(f"u{n},u{n}@example.com\n" for n in range(USERS)))
    server = request.getfixturevalue("postgres") if to == "postgresql" else None
    found = {"whole": 0, "none": 0}
    usual = 0.0
    for attempt in range(KILLS + 2):
        name = server.database() if server else ""
        home = tmp_path / f"place{attempt}"
        home.mkdir(mode=0o700)
        target = Runner(server.url(name) if server else str(home / "copy.db"), run.home, to)
        began = time.monotonic()
        process = spawned(run, "store", "copy-to", target.url)
        if attempt < 2:
            # the first run also warms the caches
            _out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err.decode()
            usual = time.monotonic() - began
        else:
            time.sleep(dice.uniform(0.2, usual * 1.1))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
            # what the server has not noticed yet holds the lock of those that fill a database: this waits for it
            there = target("audit verify --state --json", exit=None)
            if there.exit == 8:
                found["none"] += 1
                run(["store", "copy-to", target.url, "-q"], env={"USERMGMT_STORE_BUSY_TIMEOUT": "60s"})
            else:
                found["whole"] += 1
        assert target("user list -o count").out == f"{USERS}\n"
        target("audit verify --state")
        run("audit verify")
        shutil.rmtree(home)
        if server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    print(f"{KILLS} kills within {usual:.2f} s")
    counts = {"kills": KILLS, "before": found["none"], "after": found["whole"]}
    figures("instants", scenario=f"copy-to {to}", engine=run.engine, **counts)
    assert found["none"]
