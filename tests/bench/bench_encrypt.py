"""An encrypted store against a plain one: import, single writes, lookups; and how long a store is closed to others."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from bench_import import SIZE, make
from measure import PROGRAM, paired, process, seconds

from usermgmt.kernel.streams import Streams
from usermgmt.main import run as main_run

pytestmark = [pytest.mark.bench, pytest.mark.engines("sqlite"), pytest.mark.store]
WRITES = 100


def store(run, folder: Path, name: str, *options: str) -> dict[str, str]:
    """Make a store of its own and return the environment in which it is meant."""
    (folder / name).mkdir(mode=0o700)
    env = {**run.env, "USERMGMT_STORE": str(folder / name / "store.db")}
    run(["init", "--region", "CN", *options, "-q"], env=env)
    return env


@pytest.fixture
def pair(run, tmp_path):
    """The environments of an encrypted and a plain store."""
    return store(run, tmp_path, "encrypted", "--encrypt"), store(run, tmp_path, "plain")


def test_import(run, tmp_path):
    source = make(tmp_path / "users.csv", SIZE)
    count = iter(range(1000))

    def importing(*options: str):
        def work():
            env = store(run, tmp_path, f"s{next(count)}", *options)
            process([*PROGRAM, "import", "users", str(source), "-q"], {**os.environ, **env}, tmp_path)()

        return work

    paired(f"import of {SIZE} users", importing("--encrypt"), {"plain": importing()}, runs=3)


def test_single_writes(pair, tmp_path):
    """In one process, so that start-up does not hide the difference; each write is a command and a durable commit."""
    count = iter(range(1_000_000))

    def writing(env: dict[str, str]):
        def work():
            for _ in range(WRITES):
                streams = Streams(io.BytesIO(), io.BytesIO(), io.BytesIO())
                assert main_run(["user", "add", f"u{next(count)}"], env, tmp_path, streams) == 0

        return work

    encrypted, plain = pair
    paired(f"{WRITES} commands that add a user", writing(encrypted), {"plain": writing(plain)})


@pytest.mark.parametrize("line", ["user add", "user show u1"])
def test_whole_commands(run, pair, tmp_path, line):
    count = iter(range(1_000_000))

    def work(env: dict[str, str]):
        def once():
            words = [*line.split(), *([f"n{next(count)}"] if line == "user add" else [])]
            process([*PROGRAM, *words], {**os.environ, **env}, tmp_path)()

        return once

    for env in pair:
        run("user add u1", env=env)
    encrypted, plain = pair
    paired(f"the process `usermgmt {line}`", work(encrypted), {"plain": work(plain)}, runs=11)


def test_encrypt_rekey_decrypt(run, tmp_path):
    env = store(run, tmp_path, "changed")
    run(["import", "users", str(make(tmp_path / "users.csv", SIZE)), "-q"], env=env)
    size = (tmp_path / "changed" / "store.db").stat().st_size >> 20
    print(f"\na store of {SIZE} users, {size} MiB")
    for verb in ("encrypt", "rekey", "decrypt", "backup"):
        words = ["store", verb, *([str(tmp_path / "b.db")] if verb == "backup" else [])]
        print(f"  store {verb}: {seconds(lambda words=words: run(words, env=env)):.1f} s")
