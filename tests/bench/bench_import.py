"""Import of 100,000 users against Django's `bulk_create` of the same CSV into the same columns and indexes."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from measure import PROGRAM, exponent, paired, process

pytestmark = [pytest.mark.bench, pytest.mark.engines("sqlite")]
SIZE = int(os.environ.get("USERMGMT_BENCH_USERS", "100000"))
PEER = Path(__file__).with_name("django_peer.py")


def make(path: Path, size: int) -> Path:
    """Write a CSV of users in no order, half of the values Chinese."""
    dice = random.Random(7)
    numbers = list(range(size))
    dice.shuffle(numbers)
    with path.open("w", encoding="utf-8") as stream:
        stream.write("username,email,phone,display_name,full_name,gender,birth_date,occupation\n")
        for n in numbers:
            name = dice.choice("王李张刘陈杨黄赵吴周") + dice.choice("伟芳娜敏静丽强磊军洋") + dice.choice("明超霞平刚")
            born = f"{dice.randint(1950, 2005)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
            rest = f"{dice.choice(['male', 'female'])},{born},{dice.choice(['engineer', '教师', '销售'])}"
            stream.write(f"user{n:07d},user{n:07d}@example.com,+86138{n:08d},User {n},{name},{rest}\n")
    return path


def test_import(run, tmp_path):
    pytest.importorskip("django")
    source = make(tmp_path / "users.csv", SIZE)
    env = {**os.environ, **run.env}
    count = iter(range(1000))

    def ours():
        store = tmp_path / f"s{next(count)}" / "store.db"
        run(["--store", str(store), "init", "--region", "CN", "-q"])
        process([*PROGRAM, "--store", str(store), "import", "users", str(source), "-q"], env, tmp_path)()

    peer = process([sys.executable, str(PEER), str(source), str(tmp_path / "django.db")], env, tmp_path)
    paired(f"import of {SIZE} users, validated and audited", ours, {"Django bulk_create": peer}, runs=3)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"  largest child process: {peak} MiB")


def test_growth(run, tmp_path):
    """Ten times as many users: seconds of the clock and of the processor, and how they grow."""
    took = {}
    for size in (SIZE, 10 * SIZE):
        source, store = make(tmp_path / f"users{size}.csv", size), tmp_path / f"g{size}" / "store.db"
        run(["--store", str(store), "init", "--region", "CN", "-q"])
        began = time.perf_counter()
        words = [*PROGRAM, "--store", str(store), "import", "users", str(source), "-q"]
        with subprocess.Popen(words, env={**os.environ, **run.env}) as child:
            _pid, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        took[size] = time.perf_counter() - began, used.ru_utime + used.ru_stime
        print(f"\n  {size}: {took[size][0]:.1f} s, processor {took[size][1]:.1f} s, {used.ru_maxrss // 1024} MiB")
    (clock, cpu), (more_clock, more_cpu) = took.values()
    print(f"  exponent: {exponent(clock, more_clock, 10):.2f}, processor {exponent(cpu, more_cpu, 10):.2f}")
