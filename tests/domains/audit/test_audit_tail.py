"""`audit tail --follow`: each entry as it comes, in every format that streams, through restores, until ended."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys

import pytest

PROGRAM = [sys.executable, "-m", "usermgmt", "audit", "tail", "--follow"]
sqlite = pytest.mark.engines("sqlite")


@pytest.fixture
def following(run):
    """Start `audit tail --follow`; what it writes can be read line by line, and it is ended with the test."""
    started = []

    def start(*options, stdout=subprocess.PIPE) -> subprocess.Popen[str]:
        child = subprocess.Popen([*PROGRAM, *options], env=run.env, stdout=stdout, stderr=subprocess.PIPE, text=True)
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()
        for stream in (child.stdout, child.stderr):
            if stream:
                stream.close()


def ended(child: subprocess.Popen[str], by: int) -> tuple[int, str]:
    child.send_signal(by)
    return child.wait(timeout=60), child.stderr.read()


def test_new_entries_are_shown_as_they_come_and_sigint_is_130(run, following):
    run("user add alice")
    child = following("-o", "ndjson", "--limit", "1")
    assert json.loads(child.stdout.readline())["action"] == "user.add"
    for name in ("bob", "carol"):
        run(f"user add {name}")
        entry = json.loads(child.stdout.readline())
        assert (entry["action"], entry["target_name"]) == ("user.add", name)
    run("user suspend alice bob --yes")
    assert [json.loads(child.stdout.readline())["seq"] for _entry in range(3)] == [5, 6, 7]
    code, words = ended(child, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in words
    assert child.stdout.read() == ""


@sqlite
def test_sigterm_is_143(run, following):
    child = following("-o", "ids")
    assert child.stdout.readline() == "1\n"
    assert ended(child, signal.SIGTERM)[0] == 143


@sqlite
def test_a_reader_that_goes_is_141_though_nothing_comes(run, following):
    child = following("-o", "ids")
    assert child.stdout.readline() == "1\n"
    child.stdout.close()
    assert child.wait(timeout=60) == 141
    assert child.stderr.read() == ""


@sqlite
def test_tsv_has_its_header_once(run, following):
    child = following("--fields", "seq,action")
    assert [child.stdout.readline() for _line in range(2)] == ["seq\taction\n", "1\tstore.init\n"]
    run("user add alice")
    run("user add bob")
    assert [child.stdout.readline() for _line in range(2)] == ["2\tuser.add\n", "3\tuser.add\n"]


@sqlite
def test_no_entry_is_waited_for_where_none_is_asked_for(run, following):
    child = following("--limit", "0", "--no-header", "-o", "table", "--fields", "seq,action,target_name")
    for number in range(100):
        # nothing tells when it has begun to look
        run(f"user add u{number}")
        if select.select([child.stdout], [], [], 0.5)[0]:
            break
    first = child.stdout.readline().split()
    assert first == [first[0], "user.add", f"u{int(first[0]) - 2}"]


@sqlite
def test_a_table_on_a_terminal_runs_over_rather_than_losing_what_is_wide(run):
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [*PROGRAM, "--fields", "seq,target_name", "--color", "never"],
        env={**run.env, "TERM": "dumb"},
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    try:
        with os.fdopen(leader, "r") as screen:
            assert screen.readline().split() == ["Entry", "Name"]
            screen.readline()
            run("user add a-name-that-is-much-wider-than-any-before")
            assert screen.readline().split() == ["2", "a-name-that-is-much-wider-than-any-before"]
    finally:
        child.kill()
        child.wait()


@sqlite
def test_each_element_goes_through_jq(run, following):
    child = following("--jq", ".[] | .action")
    assert child.stdout.readline() == "store.init\n"
    run("user add alice")
    assert child.stdout.readline() == "user.add\n"


@sqlite
@pytest.mark.parametrize("options", ["--json", "-o json", "-o count", "--jq length"])
def test_what_needs_an_end_is_refused(run, options):
    result = run(f"audit tail -f {options}", exit=2)
    assert result.out == ""
    assert "--follow has no end" in result.err


def test_a_reveal_is_on_record_once_and_before_anything_is_shown(run, following):
    run("user add alice --email alice@example.com")
    child = following("-o", "ndjson", "--reveal", "--reason", "watching")
    shown = [json.loads(child.stdout.readline()) for _line in range(3)]
    assert "alice@example.com" in str(shown[1]["changes"])
    assert (shown[2]["action"], shown[2]["facts"]["follows"], shown[2]["reason"]) == ("data.reveal", True, "watching")
    run("user set alice --email other@example.com")
    assert "other@example.com" in child.stdout.readline()
    assert [row["action"] for row in run("audit list --json").json].count("data.reveal") == 1


def test_a_restore_is_said_and_followed(run, following):
    run("user add alice")
    run("store backup backup.db")
    child = following("-o", "ndjson", "--limit", "1")
    assert json.loads(child.stdout.readline())["action"] == "store.backup"
    run("user add bob")
    assert json.loads(child.stdout.readline())["target_name"] == "bob"
    run("store restore backup.db --yes")
    restored = json.loads(child.stdout.readline())
    assert (restored["action"], restored["facts"]["lineage"]) == ("store.restore", 2)
    run("user add carol")
    assert json.loads(child.stdout.readline())["target_name"] == "carol"
    code, words = ended(child, signal.SIGINT)
    assert code == 130
    assert f"lineage 2 begins at entry {restored['seq']}" in words


@sqlite
def test_a_file_that_takes_the_place_of_the_store_is_followed(run, following):
    run("store backup backup.db")
    child = following("-o", "ids", "--limit", "1")
    assert child.stdout.readline() == "2\n"
    child.send_signal(signal.SIGSTOP)
    data = run.path.read_bytes()
    (run.home / "spoilt.db").write_bytes(data[:100] + os.urandom(8000) + data[8100:])
    (run.home / "spoilt.db").chmod(0o600)
    (run.home / "spoilt.db").replace(run.path)
    for end in ("-wal", "-shm"):
        run.path.with_name(run.path.name + end).unlink(missing_ok=True)
    run("store restore backup.db --yes")
    child.send_signal(signal.SIGCONT)
    assert int(child.stdout.readline()) == run("audit list --action store.restore --json").json[0]["seq"]


@sqlite
def test_waiting_holds_no_snapshot(run, following):
    child = following("-o", "ids")
    assert child.stdout.readline() == "1\n"
    run("user add alice")
    assert child.stdout.readline() == "2\n"
    # a reader inside a snapshot would keep the log from being emptied
    (busy, _log, _moved) = run.sql("PRAGMA wal_checkpoint(TRUNCATE)")[0]
    assert busy == 0
