"""Whatever a file or a command line holds: it is read, or refused by an error of ours, at once."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fuzzing import MAKERS, SLOW, Fuzz
from hostile_lines import line, words
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel.errors import Exit

FUZZING = Path(__file__).with_name("fuzzing.py")
# of all readers together, and of command lines
COUNT = int(os.environ.get("USERMGMT_FUZZ_COUNT", "100000"))
SEED = int(os.environ.get("USERMGMT_FAULT_SEED", "1"))


@pytest.fixture(params=MAKERS, scope="module")
def fuzz(request, tmp_path_factory):
    return Fuzz(request.param, tmp_path_factory.mktemp("fuzz"))


def test_every_input_is_read_or_refused(fuzz):
    fuzz.go(1, range(100 if fuzz.reader == "config" else 200))
    assert not fuzz.faults
    assert min(fuzz.counts.values()) > 0


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(fuzz, data):
    assert fuzz.take(data, random.Random(len(data))) in ("read", "refused")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("reader", MAKERS)
def test_a_campaign_of_inputs_in_bounded_memory(reader):
    command = [sys.executable, FUZZING, reader, str(COUNT // len(MAKERS)), str(SEED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    print(
        f"{reader}: seed {SEED}, {found['counts']}, slowest {found['slowest'][0]:.3f} s (input {found['slowest'][1]})"
    )
    assert not found["faults"]


# -- command lines -----------------------------------------------------------------------------------------------------


def pestered(run, count, seed):
    """Run `count` random command lines; a store that one of them made unusable is put back after every 40."""
    kept = run.home.with_name("kept")
    shutil.copytree(run.home, kept)
    tree = words()
    codes, slowest = dict.fromkeys(Exit, 0), (0.0, [])
    for number in range(count):
        if number % 40 == 0:
            shutil.rmtree(run.home)
            shutil.copytree(kept, run.home)
        argv = line(random.Random(f"{seed} {number}"), tree)
        began = time.process_time()
        answer = run(argv, exit=None)
        slowest = max(slowest, (time.process_time() - began, argv))
        where = f"seed {seed} line {number}: {argv}\n{answer.err[-500:]}"
        assert answer.exit in codes, where
        assert answer.exit != Exit.ERROR, where
        assert "Traceback" not in answer.err, where
        codes[Exit(answer.exit)] += 1
    return {code.word: times for code, times in codes.items() if times}, slowest


@pytest.fixture
def office(run):
    run("user add alice --email alice@example.com --add-tag vip")
    run("user add bob --phone +8613800138000")
    config = run.home / "config.toml"
    config.touch(0o600)
    run.env["USERMGMT_CONFIG"] = str(config)
    (run.home / "users.csv").write_text("username,email\ncarol,carol@example.com\nbad name,x\n")
    (run.home / "map.toml").write_text('[columns]\nusername = "username"\n')
    return run


@pytest.mark.engines("sqlite")
@pytest.mark.store("--simulate --region CN")
def test_no_command_line_ends_in_a_fault(office):
    codes, (took, _argv) = pestered(office, 300, 1)
    assert took < SLOW
    assert {"ok", "usage", "not-found", "invalid"} <= set(codes)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.engines("sqlite")
@pytest.mark.store("--simulate --region CN")
def test_a_campaign_of_command_lines(office):
    codes, (took, argv) = pestered(office, COUNT // 10, SEED)
    print(f"argv: seed {SEED}, {codes}, slowest {took:.3f} s: {argv}")
