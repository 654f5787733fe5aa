"""`store backup`: one verified file of one moment, with its manifest, or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import stat

import orjson
import pytest
from store_helpers import digests, spawned, writers

from usermgmt.kernel import sqlite
from usermgmt.kernel.audit.anchor import Anchor, verify_signature
from usermgmt.kernel.audit.keys import load_public_key
from usermgmt.migrations import HEAD


def opened(path):
    return sqlite.driver().connect(f"file:{path}?mode=ro", uri=True)


def one(path, query):
    connection = opened(path)
    try:
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()


def left(run):
    own = ("keys", "anchors", "store.db", "store.db-line", "data")
    return sorted(path.name for path in run.home.iterdir() if path.name not in own)


def test_a_backup_holds_what_the_store_held(run):
    run("user add alice --email alice@example.com --add-tag vip --birth-date 1990-05-17")
    run("user note alice --text hello")
    made = run("store backup b.db --json").json
    assert made["outcome"] == "created"
    assert made["path"] == str(run.home / "b.db")
    assert (made["entries"], made["lineage"], made["schema"]) == (3, 1, HEAD)
    assert made["counts"]["user"] == made["counts"]["user_note"] == 1
    assert made["sha256"] == hashlib.sha256((run.home / "b.db").read_bytes()).hexdigest()
    assert made["bytes"] == (run.home / "b.db").stat().st_size
    as_store = {"USERMGMT_STORE": str(run.home / "b.db"), "USERMGMT_AUDIT_ANCHOR_DIR": str(run.home / "none")}
    assert run("user list --json --reveal", env=as_store).json == run("user list --json --reveal").json
    run("audit verify --state", env=as_store)


def test_the_manifest_says_what_the_file_must_be_and_is_signed(run):
    run("user add alice")
    head = run("store info --json").json
    made = run("store backup b.db --json --reason nightly").json
    said = json.loads((run.home / "b.db.manifest.json").read_text())
    assert made["manifest"] == str(run.home / "b.db.manifest.json")
    assert said["format"] == "usermgmt/backup/1"
    assert {name: said[name] for name in ("sha256", "counts", "schema", "lineage")} == {
        name: made[name] for name in ("sha256", "counts", "schema", "lineage")
    }
    assert (said["store"], said["n"], said["hash"]) == (head["store_id"], head["entries"], head["head"])
    anchor = Anchor(**said["anchor"])
    assert (anchor.n, anchor.hash, anchor.root) == (said["n"], said["hash"], said["root"])
    assert verify_signature(anchor, load_public_key(run.home / "keys" / said["store"]))


def test_the_entry_of_a_backup_names_its_bytes(run):
    made = run("store backup b.db --json").json
    entry = run("audit list --json").json[-1]
    assert (entry["action"], entry["outcome"], entry["change_id"]) == ("store.backup", "ok", made["change_id"])
    assert entry["facts"]["sha256"] == made["sha256"]
    assert (entry["facts"]["n"], entry["facts"]["file"]) == (made["entries"], "b.db")
    assert str(run.home) not in json.dumps(entry)


def test_existing_files_are_left_alone(run):
    (run.home / "b.db").write_text("mine")
    answer = run("store backup b.db --json", exit=5)
    assert answer.error["code"] == "file.exists"
    assert (run.home / "b.db").read_text() == "mine"
    (run.home / "c.db.manifest.json").write_text("mine")
    run("store backup c.db", exit=5)
    (run.home / "d.db").symlink_to(run.home / "nowhere")
    run("store backup d.db", exit=5)
    assert left(run) == ["b.db", "c.db.manifest.json", "d.db"]


def test_a_missing_directory_is_3(run):
    assert run("store backup none/b.db --json", exit=3).error["code"] == "file.not_found"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_private_whatever_the_umask(run, umask):
    before = os.umask(umask)
    try:
        run("store backup b.db")
    finally:
        os.umask(before)
    for name in ("b.db", "b.db.manifest.json"):
        assert stat.S_IMODE((run.home / name).stat().st_mode) == 0o600
    assert left(run) == ["b.db", "b.db.manifest.json"]


def test_a_rehearsal_writes_nothing(run):
    run("user add alice")
    before = digests(run.home)
    told = run("store backup b.db --dry-run --json").json
    assert (told["dry_run"], told["outcome"], told["entries"], told["sha256"]) == (True, "created", 2, None)
    assert digests(run.home) == before
    (run.home / "b.db").touch()
    run("store backup b.db --dry-run", exit=5)


def test_a_backup_stands_by_itself(run):
    run("store backup b.db")
    assert one(run.home / "b.db", "PRAGMA journal_mode") == "delete"
    (run.home / "b.db").chmod(0o400)
    assert one(run.home / "b.db", "PRAGMA integrity_check") == "ok"
    assert left(run) == ["b.db", "b.db.manifest.json"]


def test_backups_while_others_write_are_of_one_moment_each(run):
    with writers(run, 3, 15):
        made = [run(f"store backup b{i}.db --json").json for i in range(4)]
    sizes = []
    for one_made in made:
        path = one_made["path"]
        users, entries, head = (
            one(path, "SELECT count(*) FROM user"),
            one(path, "SELECT max(seq) FROM audit_entry"),
            one(path, "SELECT seq FROM audit_head"),
        )
        # one tag, one entry and one user in each change of the writers; our own entries are the rest
        assert users == one(path, "SELECT count(*) FROM user_tag")
        assert users == one(path, "SELECT count(*) FROM audit_entry WHERE action = 'user.add'")
        assert entries == head == one_made["entries"]
        sizes.append(entries)
        run(f"store restore {path} --dry-run")
    assert sizes == sorted(sizes)
    assert run("user list -o count").out == "45\n"


def test_a_store_that_does_not_hold_is_not_backed_up(run):
    run("user add alice")
    run("user add bob")
    run.sql("UPDATE audit_entry SET body = '{}' WHERE seq = 2")
    answer = run("store backup b.db --json", exit=12)
    assert "entry 2" in answer.error["message"]
    assert left(run) == []


def test_ids_that_were_given_once_stay_taken_in_the_copy(run):
    run("user add alice")
    run("user add bob")
    run("user remove bob --yes")
    run("store backup b.db")
    assert one(run.home / "b.db", "SELECT seq FROM sqlite_sequence WHERE name = 'user'") == 2


def test_a_full_disk_leaves_nothing_behind(run):
    for number in range(5):
        run(f"user add user{number}")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))

    process = spawned(run, "store", "backup", str(run.home / "b.db"), "--json", preexec_fn=limit)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (8, b""), err
    assert orjson.loads(err.splitlines()[-1])["error"]["code"] == "disk.full"
    assert left(run) == []
    run("store backup b.db")


def test_a_missing_key_leaves_the_manifest_unsigned_and_says_so(run):
    store = run("store info --json").json["store_id"]
    (run.home / "keys" / store / "anchor.key").unlink()
    answer = run("store backup b.db")
    assert "could not be signed" in answer.err
    assert json.loads((run.home / "b.db.manifest.json").read_text())["anchor"] is None


@pytest.mark.engines("sqlite")
def test_a_store_with_a_rollback_journal_is_backed_up_too(run):
    run.sql("PRAGMA journal_mode=DELETE")
    run("user add alice")
    run("store backup b.db")
    assert one(run.home / "b.db", "SELECT count(*) FROM user") == 1
