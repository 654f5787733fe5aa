"""The stand-alone verifier on files that are damaged, huge, hostile or no exports: one clear line, no crash."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from audit_exports import PROGRAM, Export, check, run_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# -- damage ------------------------------------------------------------------------------------------------------------


def line_of(export):
    return json.dumps(export.entries[4], ensure_ascii=False)


@pytest.mark.parametrize(
    "forge",
    [
        lambda line: line[: len(line) // 2],
        lambda _line: "",
        lambda _line: "\x00\x01\x02",
        lambda _line: "[1,2]",
        lambda _line: "null",
        lambda _line: "[" * 200_000,
        lambda line: line.replace('"seq": 5', '"seq": ' + "9" * 5000),
        lambda line: line.replace('"seq": 5', '"seq": 5.0'),
        lambda line: line.replace('"seq": 5', '"seq": true'),
        lambda line: line.replace('"seq": 5', '"seq": "5"'),
        lambda line: line.replace('"seq": 5', '"seq": 5, "seq": 5'),
        lambda line: line.replace('"seq": 5', '"seq": 5, "note": "trust me"'),
        lambda line: line.replace('"actor": "owner"', '"actor": null'),
        lambda line: line.replace('"actor": "owner"', '"actor": "\\ud800"'),
        lambda line: line.replace('"part": 0', '"part": 0, "x": 1'),
        lambda line: line.replace('"parts": [', '"parts": [7, '),
        lambda line: re.sub('"hash": "..', '"hash": "ZZ', line),
        lambda line: re.sub('"hash": "..', '"hash": "', line),
    ],
)
def test_damage_is_one_line_that_says_where(tmp_path, forge):
    one = Export(9, tmp_path)
    path = Path(one.write())
    before = path.read_text()
    after = before.replace(line_of(one), forge(line_of(one)))
    assert after != before
    path.write_text(after)
    code, lines, _all = check(str(path))
    assert (code, len(lines)) == (12, 1)
    assert "line 6 is not" in lines[0]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xff\xfe\x00", b"PK\x03\x04", b"{}\n", b'{"format":"x"}\n', b"\x00" * 9]
)
def test_what_is_no_export_is_one_line(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    code, lines, _all = check(str(path))
    assert (code, len(lines)) == (12, 1)
    assert "line 1 is not" in lines[0]


@pytest.mark.parametrize("anchor", [{}, [], "x", {"n": 1}])
def test_an_anchor_of_another_shape_is_refused(tmp_path, anchor):
    one = Export(2, tmp_path)
    one.header["anchor"] = anchor
    assert check(one.write())[:2] == (12, ["NOT TRUE: line 1 is not the header of an audit export of format 1 or 2"])


def test_an_export_cut_off_anywhere_is_not_true(tmp_path):
    one = Export(3, tmp_path).sign()
    path = Path(one.write())
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:size])
        assert check(str(path))[0] == 12
    # the last line break carries nothing
    path.write_bytes(whole[:-1])
    assert check(str(path))[0] == 0


def test_a_line_without_end_is_not_read_into_memory(tmp_path):
    one = Export(2, tmp_path)
    path = one.write()
    with open(path, "ab") as stream:
        stream.truncate(10 << 30)
    done = run_program(path)
    assert (done.returncode, done.stderr) == (12, "")
    assert "line 4 is not whole" in done.stdout


PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as stop:
    # of this process image, unlike getrusage, which begins with what the parent had before exec
    print(stop.code, *[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""


def test_memory_does_not_grow_with_the_export(tmp_path):
    peaks = []
    for n in (1000, 20_000):
        command = [sys.executable, "-c", PEAK, PROGRAM, Export(n, tmp_path).write(f"{n}")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        code, peak = done.stdout.splitlines()[-1].split()
        assert code == "0"
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 2048


def test_nothing_in_a_forged_export_commands_the_terminal(tmp_path):
    one = Export(9, tmp_path)
    one.entries[3] |= {"target": "user:\x1b[2J\u202e\n", "parts": []}
    one.seal()
    code, lines, everything = check(one.write())
    assert (code, len(lines)) == (12, 1)
    assert not re.search("[^\n -~]", everything)


def test_a_flood_of_problems_is_counted_and_not_all_shown(tmp_path):
    one = Export(300, tmp_path)
    for entry in one.entries:
        entry["body"] = "{}"
    code, lines, everything = check(one.write())
    assert (code, len(lines)) == (12, 100)
    assert "NOT TRUE: 300 problem(s), the first 100 shown" in everything


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_changed_byte_goes_unnoticed(tmp_path, data):
    one = Export(4, tmp_path).sign()
    path = Path(one.write())
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    after = before[:place] + bytes([data.draw(st.integers(0, 255))]) + before[place + 1 :]
    path.write_bytes(after)
    code, _lines, _all = check(str(path), "--public-key", one.key.public.hex())
    # the header's own time and key are said by the exporter only; blanks between JSON tokens say nothing
    lines = [json.loads(line) for line in before.splitlines()]
    try:
        same = [json.loads(line) for line in after.splitlines()] == lines
    except ValueError:
        same = False
    header_only = after.splitlines()[1:] == before.splitlines()[1:]
    assert code == 12 or same or header_only


# -- usage -------------------------------------------------------------------------------------------------------------


def test_usage_and_files_that_cannot_be_opened(tmp_path):
    path = Export(2, tmp_path).write()
    assert check(path, "--frobnicate")[0] == 2
    assert run_program().returncode == 2
    assert check(path, "--public-key", "abc")[0] == 2
    assert check(str(tmp_path / "none"))[0] == 3
    assert check(str(tmp_path))[0] == 3
    assert check(path, "--checkpoint", str(tmp_path / "none"))[0] == 3
    for content in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000):
        (tmp_path / "bad").write_bytes(content)
        assert check(path, "--checkpoint", str(tmp_path / "bad"))[0] == 2


def test_without_cryptography_it_says_that_signatures_were_not_checked(tmp_path):
    one = Export(5, tmp_path).sign()
    blocker = tmp_path / "site" / "cryptography"
    blocker.mkdir(parents=True)
    (blocker / "__init__.py").write_text("raise ImportError")
    env = {**os.environ, "PYTHONPATH": str(blocker.parent)}
    command = [sys.executable, PROGRAM, one.write()]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "note: signature not checked (anchor)" in done.stdout) == (0, True)
    command += ["--public-key", one.key.public.hex()]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "the signature cannot be checked" in done.stdout) == (12, True)
