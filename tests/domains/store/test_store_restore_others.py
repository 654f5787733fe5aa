"""`store restore` while others read, write, lock the store or fill the disk."""

from __future__ import annotations

import resource
import shutil
import signal
from pathlib import Path

import orjson
import pytest
from store_helpers import info, names, spawned, went_on, writers

from usermgmt.kernel import sqlite


@pytest.fixture
def backed(run):
    return went_on(run)


def test_writers_go_on_across_a_restore(run):
    run("user add alice")
    run("store backup b.db")
    with writers(run, 3, 15):
        done = run("store restore b.db --yes --json").json
    assert done["replaced"]["n"] >= 5
    run("audit verify --state")
    listed = run("audit list --json --action user.add").json
    assert len(names(run)) == len(listed)
    # every entry after the restore is on top of it, none was lost between the two
    entries = run("audit list --json").json
    restored = next(i for i, entry in enumerate(entries) if entry["action"] == "store.restore")
    assert entries[restored]["seq"] == done["entries"]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) - restored > 1 or len(names(run)) == 1


@pytest.mark.engines("sqlite")
def test_who_reads_sees_the_old_store_to_the_end(backed):
    run = backed
    reader = sqlite.driver().connect(run.url, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM user").fetchone() == (2,)
    run("store restore b.db --yes")
    assert reader.execute("SELECT count(*) FROM user").fetchone() == (2,)
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM user").fetchone() == (1,)
    reader.close()


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_store_that_is_locked_is_8_and_stays(backed, journal):
    run = backed
    run.sql(f"PRAGMA journal_mode={journal}")
    other = sqlite.driver().connect(run.url, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = run("store restore b.db --yes --json", exit=8, env={"USERMGMT_STORE_BUSY_TIMEOUT": "1s"})
    assert answer.error["code"] == "store.busy"
    other.execute("COMMIT")
    other.close()
    assert names(run) == ["alice", "bob"]
    run("store restore b.db --yes")
    assert names(run) == ["alice"]


@pytest.mark.engines("sqlite")
def test_a_rollback_journal_is_as_good(backed):
    run = backed
    run.sql("PRAGMA journal_mode=DELETE")
    before = info(run)
    done = run("store restore b.db --yes --json").json
    assert done["replaced"] == {"n": before["entries"], "hash": before["head"], "lineage": 1}
    assert names(run) == ["alice"]
    assert run.sql("PRAGMA journal_mode") == [("delete",)]
    run("audit verify --state")


@pytest.mark.engines("sqlite")
def test_a_backup_with_other_pages_fits(backed):
    run = backed
    connection = sqlite.driver().connect(str(run.home / "b.db"), isolation_level=None)
    connection.execute("PRAGMA page_size=8192")
    connection.execute("VACUUM")
    connection.close()
    (run.home / "b.db.manifest.json").unlink()
    run("store restore b.db --yes")
    assert names(run) == ["alice"]
    assert run.sql("PRAGMA page_size") == [(4096,)]


@pytest.mark.engines("sqlite")
def test_a_copied_file_is_taken_with_its_log(backed):
    run = backed
    other = sqlite.driver().connect(run.url, isolation_level=None)
    other.execute("SELECT count(*) FROM user").fetchone()
    run("user add carol")
    assert run.path.with_name("store.db-wal").stat().st_size
    shutil.copy(run.path, run.home / "copy.db")
    shutil.copy(run.path.with_name("store.db-wal"), run.home / "copy.db-wal")
    other.close()
    run("store restore copy.db --yes")
    assert names(run) == ["alice", "bob", "carol"]


@pytest.mark.engines("sqlite")
def test_a_full_disk_leaves_the_store_as_it_was(backed):
    run = backed
    for number in range(60):
        run(f"user add user{number} --add-tag x")
    size = run.path.stat().st_size

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        # room for the private copy, not for the log of a whole store beside it
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 4096, size - 4096))

    run("store backup full.db")
    before = names(run)
    process = spawned(run, "store", "restore", str(run.home / "full.db"), "--yes", "--json", preexec_fn=limit)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (8, b""), err
    assert orjson.loads(err.splitlines()[-1])["error"]["code"] == "disk.full"
    assert names(run) == before
    assert info(run)["lineage"] == 1
    assert not [path for path in run.home.iterdir() if path.name.startswith(".store.db")]
    run("audit verify --state")


def test_nothing_is_left_in_the_directory_of_temporary_files(backed, tmp_path):
    run = backed
    spare = tmp_path / "spare"
    spare.mkdir()
    run("store restore b.db --yes", env={"TMPDIR": str(spare)})
    assert list(spare.iterdir()) == []
    assert not [path for path in Path(run.home).iterdir() if path.name.startswith(".")]
