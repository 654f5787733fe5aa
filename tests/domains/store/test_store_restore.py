"""`store restore`: a verified backup becomes the store, as a new lineage; anything else leaves everything as it was."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from store_helpers import OLD, digests, old_store, spawned, writers

from usermgmt.kernel import sqlite
from usermgmt.kernel.audit import anchor as anchors


def names(run, **more):
    return run("user list --fields username --no-header -o tsv", **more).lines


def info(run):
    return run("store info --json").json


def anchored(run):
    return anchors.last(run.home / "anchors" / f"{info(run)['store_id']}.jsonl")


@pytest.fixture
def backed(run):
    """A store that went on after its backup b.db: alice is in both, bob came later."""
    run("user add alice --email alice@example.com --birth-date 1990-05-17 --add-tag vip --external-id hr/7")
    run("user note alice --text hello")
    run("store backup b.db")
    run("user add bob")
    run("user suspend alice")
    return run


def test_a_restore_takes_back_what_came_after(backed):
    run = backed
    before = info(run)
    done = run("store restore b.db --yes --json --reason mistake").json
    assert (done["outcome"], done["lineage"], done["store_id"]) == ("updated", 2, before["store_id"])
    assert done["backup"]["n"] == 3
    assert done["replaced"] == {"n": before["entries"], "hash": before["head"], "lineage": 1}
    assert (info(run)["lineage"], info(run)["entries"]) == (2, done["entries"])
    [alice] = run("user list --json --reveal").json
    assert (alice["username"], alice["status"], alice["tags"]) == ("alice", "active", ["vip"])
    assert (alice["email"], alice["birth_date"], alice["external_ids"]) == (
        "alice@example.com",
        "1990-05-17",
        {"hr": "7"},
    )
    run("audit verify --state")


def test_the_restore_is_on_record_with_both_heads(backed):
    run = backed
    before = info(run)
    done = run("store restore b.db --yes --json --reason mistake").json
    entry = run("audit list --json").json[-1]
    assert (entry["action"], entry["outcome"], entry["reason"]) == ("store.restore", "ok", "mistake")
    assert entry["facts"]["replaced"] == {"n": before["entries"], "hash": before["head"], "lineage": 1}
    assert entry["facts"]["backup"] == done["backup"]
    assert (anchored(run).lineage, anchored(run).n) == (2, done["entries"])


def test_life_goes_on_after_a_restore(backed):
    run = backed
    run("store restore b.db --yes")
    run("user add bob")
    run("user add carol")
    run("store backup c.db")
    run("user add dave")
    run("store restore c.db --yes")
    assert names(run) == ["alice", "bob", "carol"]
    assert info(run)["lineage"] == 3
    run("store restore b.db --yes")
    assert names(run) == ["alice"]
    assert info(run)["lineage"] == 4
    run("user add erin")
    run("audit verify --state")


@pytest.mark.engines("sqlite")
def test_an_old_file_put_back_after_a_restore_is_12_and_can_be_taken_on_purpose(backed):
    run = backed
    shutil.copy(run.path, run.home / "before.db")
    run("store restore b.db --yes")
    shutil.copy(run.home / "before.db", run.path)
    assert "lineage 2" in run("user list", exit=12).err
    run("user add mallory", exit=12)
    done = run(f"store restore {run.path} --yes --json").json
    assert (done["lineage"], done["replaced"]["lineage"]) == (3, 1)
    assert names(run) == ["alice", "bob"]
    run("audit verify --state")


@pytest.mark.engines("postgresql")
def test_an_old_database_put_back_after_a_restore_is_12(backed, request):
    run = backed
    server = request.getfixturevalue("postgres")
    before = server.url(server.database(urlsplit(run.url).path[1:]))
    run("store restore b.db --yes")
    assert names(run) == ["alice"]
    run.url = run.env["USERMGMT_STORE"] = before
    assert "lineage 2" in run("user list", exit=12).err
    done = run("store restore b.db --yes --json").json
    assert (done["lineage"], done["replaced"]["lineage"]) == (3, 1)
    assert names(run) == ["alice"]


@pytest.mark.engines("sqlite")
def test_yesterdays_file_put_back_is_12_and_can_be_taken_on_purpose(run):
    run("user add alice")
    shutil.copy(run.path, run.home / "yesterday.db")
    run("user add bob")
    shutil.copy(run.home / "yesterday.db", run.path)
    run("user list", exit=12)
    answer = run("store restore yesterday.db --yes")
    assert "no manifest" in answer.err
    assert names(run) == ["alice"]
    assert info(run)["lineage"] == 2
    run("user add carol")
    run("audit verify --state")


# -- what is in the way ------------------------------------------------------------------------------------------------


def test_it_asks_first(backed):
    run = backed
    answer = run("store restore b.db --json", exit=9)
    assert answer.error["hint"] == "pass --yes to do it without asking"
    assert names(run) == ["alice", "bob"]
    answer = run("store restore b.db", tty=True, stdin="n\n", exit=9)
    assert "6 audit entries" in answer.err
    assert names(run) == ["alice", "bob"]
    run("store restore b.db", tty=True, stdin="y\n")
    assert names(run) == ["alice"]


def test_a_rehearsal_verifies_lists_and_changes_nothing(backed):
    run = backed
    before = digests(run.home)
    answer = run("store restore b.db --dry-run --json")
    told = answer.json
    assert (told["dry_run"], told["outcome"], told["lineage"], told["replaced"]["n"]) == (True, "updated", 2, 6)
    assert "lineage 2" in answer.err
    assert digests(run.home) == before
    assert names(run) == ["alice", "bob"]
    data = bytearray((run.home / "b.db").read_bytes())
    data[5000] ^= 1
    (run.home / "b.db").write_bytes(data)
    run("store restore b.db --dry-run", exit=12)


def test_a_backup_of_another_store_is_refused(backed, tmp_path):
    run = backed
    other = ["--store", str(tmp_path / "other.db")]
    run([*other, "init"])
    run([*other, "user", "add", "mallory"])
    run([*other, "store", "backup", "other-backup.db"])
    answer = run("store restore other-backup.db --yes --json", exit=5)
    assert answer.error["code"] == "backup.other_store"
    assert names(run) == ["alice", "bob"]
    assert run("audit list --json").json[-1]["outcome"] == "failed"


@pytest.mark.store
def test_a_backup_of_another_store_may_take_an_empty_place(run, tmp_path):
    other = ["--store", str(tmp_path / "other.db")]
    run([*other, "init"])
    run([*other, "user", "add", "mallory", "--add-tag", "x"])
    run([*other, "user", "note", "mallory", "--text", "hi"])
    run([*other, "store", "backup", "b.db"])
    done = run("store restore b.db --json").json
    assert (done["outcome"], done["lineage"], done["replaced"]) == ("created", 2, None)
    assert names(run) == ["mallory"]
    run("user add alice")
    run("audit verify --state")


def test_a_store_moves_to_a_file_and_keeps_every_row(backed, tmp_path):
    run = backed
    there = ["--store", str(tmp_path / "moved" / "store.db")]
    before = run("user show alice --json --reveal").json
    run("store backup now.db")
    run([*there, "store", "restore", "now.db"])
    assert run([*there, "user", "show", "alice", "--json", "--reveal"]).json == before
    run([*there, "audit", "verify", "--state"])
    added = run([*there, "user", "add", "carol", "--json"]).json
    assert added["id"] == 3
    # the one that was left behind has the older lineage now
    run("user list", exit=12)


@pytest.mark.engines("postgresql")
@pytest.mark.store
def test_a_store_moves_to_a_database_and_keeps_every_row(run, tmp_path):
    there = ["--store", str(tmp_path / "s.db")]
    run([*there, "init", "--region", "CN"])
    for number in range(30):
        run(
            [
                *there,
                "user",
                "add",
                f"user{number}",
                "--birth-date",
                "1990-05-17",
                "--valid-until",
                "90d",
                "--add-tag",
                "x",
            ]
        )
    run([*there, "user", "remove", "user29", "--yes"])
    run([*there, "user", "rename", "user1", "张伟\\t'\"x".replace("\\t'\"", "")])
    run([*there, "user", "note", "user2", "--text", "a\\b\ttab\nline"])
    before = run([*there, "user", "list", "--json", "--reveal"]).json
    noted = run([*there, "user", "show", "user2", "--json"]).json["notes"]
    run([*there, "store", "backup", "b.db"])
    run("store restore b.db")
    assert run("user list --json --reveal").json == before
    assert run("user show user2 --json").json["notes"] == noted
    # the id of the removed one is not given again
    assert run("user add after --json").json["id"] == 31
    run("audit verify --state")


@pytest.mark.engines("postgresql")
@pytest.mark.store
def test_a_database_with_other_tables_is_left_alone(run, tmp_path):
    there = ["--store", str(tmp_path / "s.db")]
    run([*there, "init"])
    run([*there, "store", "backup", "b.db"])
    run.sql("CREATE TABLE theirs (id integer)")
    assert run("store restore b.db --yes --json", exit=5).error["code"] == "store.not_empty"
    assert run.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_a_newer_schema_is_not_replaced(backed):
    run = backed
    run.sql("UPDATE alembic_version SET version_num = '9999'")
    assert run("store restore b.db --yes --json", exit=8).error["code"] == "schema.newer"
    assert run.sql("SELECT count(*) FROM user_note") == [(1,)]


@pytest.mark.store
def test_an_old_store_is_replaced_by_its_backup_of_a_newer_schema(run):
    old_store(run)
    if run.engine == "sqlite":
        shutil.copy(run.path, run.home / "old.db")
    run("store migrate --backup before.db")
    run("user add alice")
    run("store backup new.db")
    if run.engine == "sqlite":
        shutil.copy(run.home / "old.db", run.path)
        assert run("user list", exit=8)
        run("store restore new.db --yes")
    else:
        run("store restore before.db --yes")
        run("store restore new.db --yes")
    assert names(run) == ["alice"]
    run("audit verify --state")


@pytest.mark.store("--simulate")
def test_a_simulated_store_is_restored_at_its_own_time(run):
    run("user add alice --now 2030-01-01")
    run("store backup b.db --now 2030-02-01")
    run("user add bob --now 2030-03-01")
    run("store restore b.db --yes --now 2030-04-01")
    assert run("audit list --json").json[-1]["at"] == "2030-04-01T00:00:00.000Z"


def test_now_is_refused_where_the_store_is_real(backed):
    backed("store restore b.db --yes --now 2030-01-01", exit=2)


# -- a backup that is not what it was ----------------------------------------------------------------------------------


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


# -- others at the same time -------------------------------------------------------------------------------------------


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


def test_the_revision_of_the_tests_is_an_old_one():
    from usermgmt.migrations import HEAD

    assert OLD != HEAD
