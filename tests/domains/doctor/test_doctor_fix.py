"""`doctor --fix`: what is mended, what is said of it, and that nothing which may be evidence is touched."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat

import pytest

sqlite = pytest.mark.engines("sqlite")


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def mended(run, line="doctor --fix --json", exit=0, **more):  # noqa: A002 - the word of the contract
    """Run it; returns what was mended, by check, without what the tests' server is warned about."""
    if run.engine == "postgresql" and exit == 0:
        exit = 10  # noqa: A001 - the parameter above
    rows = run(line, exit=exit, **more).json
    return {row["check"]: row["outcome"] for row in rows if row["outcome"] not in ("unchanged", "refused")}


def store_id(run):
    return run.sql("SELECT store_id FROM store_meta")[0][0]


def test_a_sound_store_is_left_as_it_is(run):
    run("user add alice")
    before = {path: path.read_bytes() for path in run.home.rglob("*") if path.is_file()}
    result = run("doctor --fix", exit=None)
    assert "nothing to mend" in result.err
    assert {path: path.read_bytes() for path in run.home.rglob("*") if path.is_file()} == before
    assert run("store info --json").json["entries"] == 2


@sqlite
def test_files_and_directories_are_closed_to_others(run):
    key = run.home / "keys" / store_id(run) / "anchor.key"
    anchors = next((run.home / "anchors").iterdir())
    opened = {
        run.path: 0o666,
        run.home: 0o777,
        key: 0o644,
        key.parent: 0o777,
        key.with_name("anchor.pub"): 0o666,
        anchors: 0o666,
        anchors.parent: 0o777,
    }
    for path, bits in opened.items():
        path.chmod(bits)
    assert run("user list", exit=8).out == ""
    assert set(mended(run)) == {"file", "directory", "key", "anchor"}
    assert [oct(mode(path) & 0o022) for path in opened] == ["0o0"] * len(opened)
    assert (mode(run.path), mode(key)) == (0o600, 0o600)
    assert mended(run) == {}
    assert run("audit verify --state").exit == 0


@sqlite
def test_it_is_on_the_audit_with_the_change_id_of_the_answer(run):
    run.path.chmod(0o644)
    (row,) = [row for row in run("doctor --fix --json --reason monthly").json if row["outcome"] == "updated"]
    entry = run("audit list --json").json[-1]
    assert (entry["action"], entry["target"], entry["reason"]) == ("store.fix", "store", "monthly")
    assert entry["facts"] == {"mended": [{"check": "file", "outcome": "updated"}]}
    assert entry["change_id"] == row["change_id"]


@sqlite
def test_a_rehearsal_says_the_same_and_changes_nothing(run):
    run.path.chmod(0o644)
    (run.home / ".store.db.abcd_123").mkdir(mode=0o700)
    rows = run("doctor --fix --dry-run --json").json
    assert {row["check"]: (row["outcome"], row["dry_run"]) for row in rows if row["outcome"] != "unchanged"} == {
        "file": ("updated", True),
        "leftovers": ("removed", True),
    }
    assert mode(run.path) == 0o644
    assert (run.home / ".store.db.abcd_123").is_dir()
    assert run("store info --json").json["entries"] == 1
    assert mended(run) == {"file": "updated", "leftovers": "removed"}


def test_anchors_that_are_missing_or_behind_are_made_from_a_verified_log(run):
    path = run.home / "anchors" / f"{store_id(run)}.jsonl"
    before = path.read_bytes()
    run("user add alice")
    path.write_bytes(before)
    assert mended(run) == {"anchor": "updated"}
    shutil.rmtree(path.parent)
    assert mended(run) == {"anchor": "updated"}
    assert mended(run) == {}
    assert run("audit verify").exit == 0


def test_the_public_half_of_a_key_is_made_again_and_a_lost_key_is_not(run):
    folder = run.home / "keys" / store_id(run)
    public = (folder / "anchor.pub").read_bytes()
    (folder / "anchor.pub").unlink()
    assert mended(run) == {"key": "created"}
    assert (folder / "anchor.pub").read_bytes() == public
    (folder / "anchor.key").unlink()
    assert mended(run, exit=10) == {}
    assert not (folder / "anchor.key").exists()


@sqlite
def test_the_write_ahead_log_is_given_back(run):
    run.sql("PRAGMA journal_mode=DELETE")
    assert mended(run) == {"journal": "updated"}
    assert run.sql("PRAGMA journal_mode") == [("wal",)]


@sqlite
def test_a_store_that_others_read_keeps_its_journal_and_says_so(run):
    from usermgmt.kernel import sqlite as engine

    run.sql("PRAGMA journal_mode=DELETE")
    run.env["USERMGMT_STORE_BUSY_TIMEOUT"] = "0"
    other = engine.driver().connect(run.url)
    other.execute("BEGIN")
    other.execute('SELECT 1 FROM "user"').fetchall()
    try:
        (row,) = [row for row in run("doctor --fix --json", exit=None).json if row["outcome"] == "refused"]
        assert row["error"]["code"] == "store.busy"
    finally:
        other.close()


@sqlite
def test_only_litter_that_is_provably_ours_and_dead_is_removed(run):
    for name in (".store.db.abcd1234", ".store.db.mine", ".store.db.UPPER123", ".other.db.abcd1234"):
        (run.home / name).mkdir(mode=0o700)
    (run.home / ".store.db.open1234").mkdir(mode=0o755)
    (run.home / ".store.db.link1234").symlink_to(run.home / ".other.db.abcd1234")
    (run.home / ".store.db.abcd1234" / "copy.db").write_bytes(b"data")
    assert mended(run, exit=10) == {"leftovers": "removed"}
    left = {path.name for path in run.home.iterdir() if path.name.startswith(".")}
    assert left == {
        ".store.db.mine",
        ".store.db.UPPER123",
        ".other.db.abcd1234",
        ".store.db.open1234",
        ".store.db.link1234",
    }


@sqlite
def test_a_run_that_is_still_at_work_is_left_alone(run):
    work = run.home / ".store.db.abcd1234"
    work.mkdir(mode=0o700)
    held = os.open(work, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        assert mended(run) == {}
        assert run("doctor").exit == 0
    finally:
        os.close(held)
    assert mended(run) == {"leftovers": "removed"}


# -- evidence ----------------------------------------------------------------------------------------------------------


def test_what_was_tampered_with_is_12_and_nothing_that_may_tell_of_it_is_touched(run):
    run("user add alice")
    run.sql("UPDATE audit_entry SET body = '{}' WHERE seq = 2")
    anchors = run.home / "anchors" / f"{store_id(run)}.jsonl"
    anchors.unlink()
    result = run("doctor --fix --json", exit=12)
    assert {row["outcome"] for row in result.json} == {"unchanged"}
    assert "may be evidence" in result.err
    assert not anchors.exists()
    assert len(run("audit list --json").json) == 2


@sqlite
def test_a_file_put_back_is_not_anchored_anew(run):
    shutil.copy(run.path, run.home / "old.db")
    run("user add alice")
    anchors = next((run.home / "anchors").iterdir())
    kept = anchors.read_bytes()
    shutil.copy(run.home / "old.db", run.path)
    run.path.chmod(0o644)
    result = run("doctor --fix --json", exit=12)
    # other accounts are shut out all the same
    assert [row["check"] for row in result.json if row["outcome"] == "updated"] == ["file"]
    assert anchors.read_bytes() == kept
    assert "not on the audit" in result.err


@sqlite
def test_a_link_in_the_place_of_the_store_is_not_followed(run, tmp_path):
    real = tmp_path / "real.db"
    run.path.rename(real)
    real.chmod(0o644)
    run.path.symlink_to(real)
    run("doctor --fix", exit=8)
    assert mode(real) == 0o644


@sqlite
def test_a_file_with_a_second_name_is_left(run, tmp_path):
    os.link(run.path, tmp_path / "second")
    run.path.chmod(0o644)
    assert mended(run, exit=10) == {}
    assert mode(run.path) == 0o644


@pytest.mark.store
def test_without_a_store_there_is_nothing_to_mend(run):
    result = run("doctor --fix --json", exit=8)
    assert {row["outcome"] for row in result.json} == {"unchanged"}


@sqlite
def test_it_reads_well_as_text(run):
    run.path.chmod(0o644)
    answer = run("doctor --fix")
    assert answer.lines[0].startswith("check file: updated; other accounts may read or write ")
    assert answer.lines[0].endswith(f"closed to other accounts: {run.path}")
    assert run("doctor --fix -q").out == ""
