"""Ticks as processes: two at once do everything once, and what a killed one left is done by the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from tick_jobs import HERE, JOBS

from usermgmt.kernel import registry

pytestmark = [pytest.mark.store("--simulate"), pytest.mark.timeout(600)]
TOGETHER = 4

# one process that has the program loaded and forks the ticks: what is tried is the store, not the start of Python
TICKS = """
import io, json, os, sys
from pathlib import Path
import tick_jobs
from usermgmt.kernel import registry
from usermgmt.domains.audit import daily
from usermgmt.domains.tick import service
from usermgmt.domains.user import expiring
from usermgmt.kernel.streams import Streams
from usermgmt.main import run

own = registry.jobs()
count, now = int(sys.argv[1]), sys.argv[2]
registry.jobs = lambda: (*(tick_jobs.JOBS[name] for name in sys.argv[3:]), *own)

def tick():
    streams = Streams(io.BytesIO(), io.BytesIO(), io.BytesIO())
    code = run(["tick", "--json", "--now", now], os.environ, Path.cwd(), streams)
    return json.dumps([code, json.loads(streams.stdout.getvalue() or b"null"), streams.stderr.getvalue().decode()])

pipes = []
for n in range(count):
    read, write = os.pipe()
    if not os.fork():
        try:
            os.write(write, tick().encode())
        finally:
            os._exit(0)
    os.close(write)
    pipes.append(read)
for pipe in pipes:
    with os.fdopen(pipe) as stream:
        print(stream.read())
"""


def start(run, count, now, *jobs, **env):
    """Start `count` ticks at once, at a time of March 2027, with `jobs` beside the program's own."""
    argv = [sys.executable, "-c", TICKS, str(count), f"2027-03-{now}", *jobs]
    env = {**os.environ, **run.env, "PYTHONPATH": HERE, "USERMGMT_STORE_BUSY_TIMEOUT": "300s", **env}
    return subprocess.Popen(argv, env=env, cwd=run.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_ticks_at_once_do_each_slot_and_give_each_notice_once(run, monkeypatch):
    for n in range(20):
        run(f"user add u{n} --valid-until 2027-03-15 --now 2027-03-01")
    with monkeypatch.context() as patched:
        patched.setattr(registry, "jobs", lambda: (JOBS["each"],))
        run("tick --now 2027-03-10T12:00:00Z")
    out, err = start(run, TOGETHER, "14T12:00:00Z", "each").communicate()
    told = [json.loads(line) for line in out.splitlines()]
    assert [(code, said) for code, _done, said in told] == [(0, "")] * TOGETHER, err
    every = [one for _code, done, _said in told for one in done]
    # in order, though they may have shared them
    wanted = [f"2027-03-{day}T03:00:00.000Z" for day in (11, 12, 13, 14)]
    assert sorted(one["target_name"] for one in every if one["job"] == "each") == wanted
    days = [str(due)[8:10] for (due,) in run.sql("SELECT due FROM tick_slot WHERE job = 'each' ORDER BY id")]
    assert days == ["10", "11", "12", "13", "14"]
    assert Counter(one["target_name"] for one in every if one["job"] == "user.expiring") == Counter(
        f"u{n}" for n in range(20)
    )
    assert run("audit list --action user.expiring -o count").out == "20\n"
    run("audit verify --state")


def test_what_a_killed_tick_left_is_done_when_its_lease_is_over(run, monkeypatch):
    mark = run.home / "hangs"
    killed = start(run, 1, "10T12:00:00Z", "parts", TICK_TEST_HANGS=str(mark))
    while not (mark.exists() and mark.read_text()):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    os.kill(int(mark.read_text()), signal.SIGKILL)
    killed.communicate()
    monkeypatch.setattr(registry, "jobs", lambda: (JOBS["parts"],))

    def tick(now):
        return [one["target_name"] for one in run(f"tick --json --now 2027-03-10T{now}Z").json]

    assert tick("12:04:00") == []
    assert tick("12:06:00") == ["2", "3"]
    assert tick("12:20:00") == []
    run("audit verify --state")
