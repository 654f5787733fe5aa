"""Many writers at once: nothing is lost, nothing is done twice, and the audit holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

WORKERS = 16
TURNS = 3

# one process that has the program loaded and forks the writers: what is tried is the store, not the start of Python
WRITERS = """
import io, json, os, sys
from pathlib import Path
from usermgmt.domains.user import service
from usermgmt.kernel.streams import Streams
from usermgmt.main import run

workers, turns = int(sys.argv[1]), int(sys.argv[2])

def call(line):
    streams = Streams(io.BytesIO(), io.BytesIO(), io.BytesIO())
    code = run(line.split(), os.environ, Path.cwd(), streams)
    return [line, code, streams.stdout.getvalue().decode(), streams.stderr.getvalue().decode()]

def work(n):
    yield call(f"user add worker{n} --email w{n}@example.com --json")
    yield call("user add contested --json")
    yield call(f"user add rival{n} --email rival@example.com --json")
    for turn in range(turns):
        yield call(f"user tag shared --add-tag t{n}-{turn} --json")
        yield call(f"user note shared --text {n}-{turn} --json")
        yield call(f"user set shared --occupation {n}-{turn} --json")
    yield call("user ensure same --locale zh-CN --json")
    yield call("user set versioned --gender male --if-version 1 --json")

pipes = []
for n in range(workers):
    read, write = os.pipe()
    if not os.fork():
        try:
            os.write(write, "".join(json.dumps(done) + "\\n" for done in work(n)).encode())
        finally:
            os._exit(0)
    os.close(write)
    pipes.append(read)
for pipe in pipes:
    with os.fdopen(pipe) as stream:
        sys.stdout.write(stream.read())
"""


@pytest.mark.timeout(600)
def test_sixteen_writers_lose_nothing(run):
    for name in ("shared", "versioned"):
        run(f"user add {name}")
    env = {**os.environ, **run.env, "USERMGMT_STORE_BUSY_TIMEOUT": "300s"}
    argv = [sys.executable, "-c", WRITERS, str(WORKERS), str(TURNS)]
    done = subprocess.run(argv, env=env, cwd=run.home, capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == WORKERS * (5 + 3 * TURNS), done.stderr

    codes = {}
    for line, code, _out, _err in results:
        codes.setdefault(line.split()[1:3][-1].rstrip("0123456789"), []).append(code)
    unexpected = [one for one in results if one[1] not in (0, 5)]
    assert unexpected == []
    assert codes["worker"] == [0] * WORKERS
    assert set(codes["shared"]) == {0}
    for contested in ("contested", "rival", "versioned"):
        assert sorted(codes[contested]) == [0] + [5] * (WORKERS - 1)
    outcomes = [json.loads(out)["outcome"] for line, _code, out, _err in results if " same " in line]
    assert sorted(outcomes) == ["created"] + ["unchanged"] * (WORKERS - 1)

    shared = run("user show shared --json").json
    every = sorted(f"{n}-{turn}" for n in range(WORKERS) for turn in range(TURNS))
    assert shared["tags"] == sorted(f"t{one}" for one in every)
    assert sorted(one["text"] for one in shared["notes"]) == every
    assert shared["version"] == 1 + 3 * len(every)
    assert run("user list -o count").out == f"{2 + WORKERS + 3}\n"
    assert run("user list --search rival -o count").out == "1\n"
    history = run("user history shared --json --jq '[.[].changes.occupation // empty]'").json
    assert [before for before, _after in history] == [None, *(after for _before, after in history[:-1])]
    assert run("audit verify --state --json").json["holds"] is True
