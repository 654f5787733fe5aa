"""`store restore`: a verified backup becomes the store, as a new lineage; or everything stays as it was."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import pytest
from store_helpers import anchored, digests, info, names, old_store, went_on


@pytest.fixture
def backed(run):
    return went_on(run)


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


def test_a_name_that_no_file_has_is_3(run):
    assert run(["store", "restore", "\ud800.db", "--yes", "--json"], exit=3).error["code"] == "file.not_found"
