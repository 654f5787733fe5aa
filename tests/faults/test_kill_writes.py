"""kill -9 at random instants of plain writes: all that was acknowledged is there, the audit verifies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

KILLS = 20
WRITER = """
import os, sys, io
from pathlib import Path
from usermgmt.kernel.streams import Streams
from usermgmt.main import run

for number in range(1, 10_000):
    streams = Streams(io.BytesIO(), io.BytesIO(), io.BytesIO())
    code = run(["user", "add", f"{sys.argv[1]}{number}", "--add-tag", "x"], os.environ, Path.cwd(), streams)
    assert code == 0, streams.stderr.getvalue()
    os.write(1, f"{number}\\n".encode())
"""


@pytest.mark.slow
def test_killed_writers_lose_nothing(run):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    acknowledged: set[str] = set()
    for attempt in range(KILLS):
        prefix = f"k{attempt}x"
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, prefix],
            env={**os.environ, **run.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        first = process.stdout.readline()
        time.sleep(dice.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        acknowledged |= {f"{prefix}{int(line)}" for line in (first + rest).split()}
    there = set(run("user list --fields username --no-header -o tsv").lines)
    assert acknowledged <= there
    # at most the one in flight at each kill is there without its acknowledgement
    assert len(there - acknowledged) <= KILLS
    assert all(row["tags"] == ["x"] for row in run("user list --json").json)
    run("audit verify --state")
    run("user add after")
    print(f"{KILLS} kills, {len(acknowledged)} acknowledged, {len(there) - len(acknowledged)} more")


@pytest.mark.slow
def test_sixteen_writers_at_once(run):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER.replace("10_000", "41"), f"w{n}x"],
            env={**os.environ, **run.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for n in range(16)
    ]
    for process in processes:
        _out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err.decode()[-500:]
    assert run("user list -o count").out == f"{16 * 40}\n"
    run("audit verify --state")
    seqs = [entry["seq"] for entry in run("audit list --json --fields seq").json]
    assert seqs == list(range(1, len(seqs) + 1))
