"""`store restore` of a backup that is not what it was, and over a store that is not."""

from __future__ import annotations

import os
import shutil
import stat

import orjson
import pytest
from store_helpers import anchored, digests, info, names, went_on

from usermgmt.kernel import sqlite


@pytest.fixture
def backed(run):
    return went_on(run)


def test_a_missing_file_is_3_and_no_store_is_8(backed):
    run = backed
    assert run("store restore none.db --yes --json", exit=3).error["code"] == "file.not_found"
    (run.home / "text.db").write_text("hello" * 100)
    run("store restore text.db --yes", exit=8)
    (run.home / "empty.db").touch()
    run("store restore empty.db --yes", exit=8)
    run(f"store restore {run.home} --yes", exit=8)
    assert names(run) == ["alice", "bob"]


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("manifest", [True, False])
def test_half_a_backup_is_refused(backed, part, manifest):
    run = backed
    path = run.home / "b.db"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    if not manifest:
        (run.home / "b.db.manifest.json").unlink()
    before = digests(run.home)
    assert run("store restore b.db --yes --json", exit=12).error["code"] == "backup.broken"
    assert digests(run.home) == before


@pytest.mark.engines("sqlite")
def test_no_flipped_byte_gets_past_the_manifest(backed):
    run = backed
    path = run.home / "b.db"
    data = path.read_bytes()
    for at in range(100, len(data), len(data) // 25):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        assert run("store restore b.db --yes --json", exit=12).error["code"] == "backup.broken"
    path.write_bytes(data)
    run("store restore b.db --yes")


@pytest.mark.engines("sqlite")
def test_a_flipped_byte_without_a_manifest_is_found_or_harmless(backed):
    run = backed
    path = run.home / "b.db"
    (run.home / "b.db.manifest.json").unlink()
    data = path.read_bytes()
    said = run("store restore b.db --dry-run --json").json
    found = 0
    for at in range(101, len(data), len(data) // 60):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        answer = run("store restore b.db --dry-run --json", exit=None)
        assert answer.exit in (0, 12), (at, answer.err)
        found += answer.exit == 12
        if answer.exit == 0:
            assert answer.json["backup"]["hash"] == said["backup"]["hash"]
    assert found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("hash", "0" * 64),
        ("root", "0" * 64),
        ("schema", "0001"),
        ("lineage", 2),
        ("counts", {}),
        ("sha256", "0" * 64),
        ("format", "another"),
        ("anchor", {"n": 3}),
        ("anchor", 7),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(backed, name, value):
    run = backed
    path = run.home / "b.db.manifest.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), name: value}))
    assert run("store restore b.db --yes --json", exit=12).error["code"] == "backup.broken"
    assert names(run) == ["alice", "bob"]


def test_a_manifest_signed_by_another_key_is_refused(backed):
    run = backed
    path = run.home / "b.db.manifest.json"
    said = orjson.loads(path.read_bytes())
    said["anchor"]["sig"] = "0" * 128
    path.write_bytes(orjson.dumps(said))
    assert "not signed" in run("store restore b.db --yes", exit=12).err


def test_a_manifest_that_is_none_is_refused(backed):
    run = backed
    (run.home / "b.db.manifest.json").write_text("nonsense")
    run("store restore b.db --yes", exit=12)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET body = '{}' WHERE seq = 2",
        "DELETE FROM audit_pii WHERE seq = 2",
        "UPDATE audit_head SET frontier = ''",
        "CREATE TRIGGER evil AFTER INSERT ON user BEGIN UPDATE user SET status = 'active'; END",
        "CREATE VIEW evil AS SELECT * FROM user",
        "DROP INDEX ix_audit_entry_at",
    ],
)
def test_a_forged_backup_without_its_manifest_is_found_out(backed, statement):
    run = backed
    (run.home / "b.db.manifest.json").unlink()
    connection = sqlite.driver().connect(str(run.home / "b.db"), isolation_level=None)
    connection.execute(statement)
    connection.close()
    answer = run("store restore b.db --yes --json", exit=12)
    assert answer.error["code"] == "backup.broken"
    assert names(run) == ["alice", "bob"]


def test_a_backup_comes_through_standard_input(backed):
    run = backed
    answer = run("store restore - --yes", stdin=(run.home / "b.db").read_bytes())
    assert "no manifest" in answer.err
    assert names(run) == ["alice"]


# -- a store that is not what it was -----------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_a_missing_store_is_put_back(backed):
    run = backed
    run.path.unlink()
    done = run("store restore b.db --json").json
    assert (done["outcome"], done["lineage"], done["replaced"]) == ("created", 2, None)
    assert names(run) == ["alice"]
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o600
    assert run.sql("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.engines("sqlite")
def test_a_missing_directory_is_made_private(backed, tmp_path):
    run = backed
    there = tmp_path / "new" / "place" / "store.db"
    run(["--store", str(there), "store", "restore", "b.db", "--dry-run"])
    assert not there.parent.exists()
    run(["--store", str(there), "store", "restore", "b.db"])
    assert stat.S_IMODE(there.parent.stat().st_mode) == 0o700


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("damage", ["text", "empty", "truncated", "header", "catalogue"])
def test_a_damaged_store_is_moved_aside(backed, damage):
    run = backed
    data = run.path.read_bytes()
    broken = {
        "text": b"not a store\n" * 40,
        "empty": b"",
        "truncated": data[:4096],
        "header": b"\xff" * 16 + data[16:],
        "catalogue": data[:100] + os.urandom(3996) + data[4096:],
    }[damage]
    run.path.write_bytes(broken)
    run("store restore b.db", exit=9)
    answer = run("store restore b.db --yes")
    [aside] = [path for path in run.home.glob("store.db.broken-*") if not path.name.endswith(("-wal", "-shm"))]
    assert aside.name in answer.err
    assert aside.read_bytes() == broken
    assert names(run) == ["alice"]
    assert info(run)["lineage"] == 2
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o600


@pytest.mark.engines("sqlite")
def test_a_journal_without_its_store_is_not_applied_to_the_new_one(backed):
    run = backed
    run.path.unlink()
    for end in ("-wal", "-journal"):
        run.path.with_name("store.db" + end).write_bytes(os.urandom(5000))
    run("store restore b.db")
    assert names(run) == ["alice"]
    assert len(list(run.home.glob("store.db.broken-*"))) == 2


@pytest.mark.engines("sqlite")
def test_rows_that_were_damaged_are_replaced_in_place(backed):
    run = backed
    run.sql("UPDATE audit_entry SET body = '{}' WHERE seq = 2")
    run("audit verify", exit=12)
    run("store restore b.db --yes")
    assert not list(run.home.glob("store.db.broken-*"))
    assert names(run) == ["alice"]


def test_a_rewritten_store_is_replaced_and_the_audit_holds_again(backed):
    run = backed
    forged = "f" * 64
    run.sql("UPDATE audit_entry SET hash = ? WHERE seq = 6", forged)
    run.sql("UPDATE audit_head SET hash = ?", forged)
    run("user list", exit=12)
    run("store restore b.db --yes")
    facts = run("audit list --json").json[-1]["facts"]
    assert (facts["replaced"], facts["disputed"]) == (None, {"n": 6, "hash": forged, "lineage": 1})
    run("audit verify --state")


@pytest.mark.engines("sqlite")
def test_another_programs_database_is_never_touched(backed, tmp_path):
    run = backed
    path = tmp_path / "theirs.db"
    connection = sqlite.driver().connect(str(path))
    connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.commit()
    connection.close()
    path.chmod(0o600)
    before = path.read_bytes()
    run(["--store", str(path), "store", "restore", "b.db", "--yes"], exit=8)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.glob("theirs*")] == ["theirs.db"]


@pytest.mark.engines("sqlite")
def test_a_planted_link_is_refused(backed, tmp_path):
    run = backed
    run.path.rename(tmp_path / "real.db")
    run.path.symlink_to(tmp_path / "real.db")
    before = (tmp_path / "real.db").read_bytes()
    run("store restore b.db --yes", exit=8)
    assert (tmp_path / "real.db").read_bytes() == before


@pytest.mark.engines("sqlite")
def test_a_missing_key_is_made_anew_and_said(backed):
    run = backed
    shutil.rmtree(run.home / "keys")
    answer = run("store restore b.db --yes")
    assert "a new one is in" in answer.err
    assert anchored(run).lineage == 2
    run("user add carol")
    run("doctor", exit=None)
