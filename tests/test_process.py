"""The program as a process: signals, pipes, full disks, colours, languages, unexpected failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.engines("sqlite")
PROGRAM = [sys.executable, "-m", "usermgmt"]


def spawn(run, argv, **more):
    return subprocess.Popen(
        [*PROGRAM, *argv], env=run.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )


def many(run, count=3000):
    """Put users in behind the program's back: only their number matters."""
    values = ", ".join(
        f"('{i:036d}', 1, 'person', 'active', '2026-01-01T00:00:00.000Z', 'u{i}', 'u{i}', 'u{i}',"
        " '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')"
        for i in range(count)
    )
    columns = "uid, version, kind, status, status_at, username, username_norm, skeleton, created_at, updated_at"
    run.sql(f'INSERT INTO "user" ({columns}) VALUES {values}')


def test_a_reader_that_goes_away_is_141_and_silent(run):
    many(run)
    done = subprocess.run(
        f"{' '.join(PROGRAM)} user list | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env=run.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == ""


@pytest.mark.parametrize("argv", [["user", "list"], ["--help"], ["user", "list", "--json"], ["user", "show", "alice"]])
def test_a_full_disk_behind_standard_output_is_8_and_one_line(run, argv):
    run("user add alice")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, *argv], env=run.env, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 8
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_with_their_code_and_leave_nothing(run, number, code):
    run("user add alice")
    process = spawn(run, ["user", "note", "alice", "--text", "-", "--verbose"])
    # it is past its start by then, and waits for standard input sooner or later
    assert process.stderr.readline().startswith(b"store ")
    process.send_signal(number)
    _out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert b"Traceback" not in err
    assert run("user show alice --json").json["notes"] == []


def worked(process):
    """Return how long a process has had a processor, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_filter_that_never_ends_can_be_ended(run, number):
    process = spawn(run, ["version", "--json", "--jq", "def f: f; f"])
    # by then it has long been in the filter: to start takes a few tenths
    while worked(process) < 2:
        time.sleep(0.05)
    process.send_signal(number)
    _out, err = process.communicate(timeout=120)
    assert process.returncode == -number
    assert b"Traceback" not in err


def test_an_unexpected_failure_is_one_line_and_tells_no_secret(run):
    script = (
        "import usermgmt.domains.user.lookup as l\n"
        "def boom(ctx, word): raise KeyError('s3cret')\n"
        "l.find = boom\n"
        "from usermgmt.main import console; console()"
    )
    argv = [sys.executable, "-c", script, "user", "show", "alice"]
    done = subprocess.run(argv, env=run.env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "--debug" in done.stderr
    done = subprocess.run([*argv, "--debug"], env=run.env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_the_terminals_encoding_is_survived(run):
    run(["user", "add", "𠮷野", "--display-name", "😀"])
    env = {**run.env, "PYTHONIOENCODING": "gbk"}
    done = subprocess.run([*PROGRAM, "user", "list", "-o", "table"], env=env, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"\\U0001f600" in done.stdout
    done = subprocess.run([*PROGRAM, "user", "list", "--json"], env=env, capture_output=True, check=False)
    assert "😀".encode() in done.stdout, "machine formats are UTF-8 whatever the terminal speaks"


def test_it_runs_with_an_empty_environment(run):
    done = subprocess.run(
        [*PROGRAM, "--store", str(run.path), "user", "list", "--json"],
        env={},
        capture_output=True,
        cwd="/",
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"[]\n"), done.stderr


def test_no_core_file_and_private_files(run):
    script = (
        "import resource, os, usermgmt.main as m\n"
        "m._harden(); print(resource.getrlimit(resource.RLIMIT_CORE)[0], oct(os.umask(0)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split() == ["0", "0o77"]


def shell(run, line, cwd=None):
    """Run a line of sh, in which $USERMGMT is the program."""
    env = {**run.env, "USERMGMT": " ".join(PROGRAM)}
    return subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$USERMGMT user list -o count <&-", 0),
        ("$USERMGMT user exists alice <&- >&- 2>&-", 0),
        ("$USERMGMT user show nobody 2>&-", 3),
        ("$USERMGMT user list --nope 2>/dev/full", 2),
        ("$USERMGMT user show nobody --json 2>/dev/full", 3),
        ("$USERMGMT user suspend - <&-", 8),
        ("$USERMGMT user list >&-", 8),
    ],
)
def test_closed_and_full_streams_change_no_exit_code(run, line, code):
    run("user add alice")
    done = shell(run, line)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_stream_is_not_taken_by_the_store(run):
    done = shell(run, "$USERMGMT user add alice >&-")
    assert done.returncode == 8
    assert "stays changed" in done.stderr
    assert run("audit verify --state --json").json["holds"]
    assert run("user exists alice")


def test_a_directory_that_is_gone_hinders_nothing_but_what_lies_in_it(run, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    inside = f"rmdir {gone}; $USERMGMT"
    assert shell(run, f"{inside} user list -o count", cwd=gone).stdout == "0\n"
    gone.mkdir()
    done = shell(run, f"{inside} import users x.csv", cwd=gone)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
