"""Encrypted stores: made, encrypted, rekeyed, decrypted; backed up and put back; and nothing of it readable beside."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import stat
import threading
import time
from pathlib import Path

import orjson
import pytest
from store_helpers import contents, digests, names, spawned

from usermgmt.kernel.storekeys import FORMAT

pytestmark = pytest.mark.engines("sqlite")
ENCRYPTED = pytest.mark.store("--encrypt --region CN")
CANARY = "canary-5f2c"


def info(run, **more):
    return run("store info --json", **more).json


def key_files(run):
    return sorted((run.home / "keys" / info(run)["store_id"]).glob("store-*.key"))


def is_plain(path):
    return path.read_bytes().startswith(b"SQLite format 3")


def traces(run, text=CANARY):
    """The files beside the store in which ``text`` stands."""
    return [path.name for path in run.home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


# -- made and changed --------------------------------------------------------------------------------------------------


@ENCRYPTED
def test_a_new_store_is_encrypted_and_says_so(run):
    run(f"user add alice --display-name {CANARY}")
    assert traces(run) == []
    told = info(run)
    assert (told["encrypted"], told["entries"]) == (True, 2)
    assert run.path.read_bytes()[:16].hex() == told["store_id"].replace("-", "")
    (key,) = key_files(run)
    assert key.name == f"store-{told['key']}.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run("audit list --json").json[0]["facts"]["key"] == told["key"]
    run("audit verify --state")
    assert run("init --encrypt --json").json["outcome"] == "unchanged"
    run("init --json")


@pytest.mark.store
def test_init_rehearses_what_it_would_encrypt(run):
    assert run("init --encrypt --dry-run --json").json["encrypted"] is True
    assert list(run.home.iterdir()) == []
    made = run("init --encrypt --json").json
    assert (made["encrypted"], made["key"]) == (True, info(run)["key"])


def test_init_does_not_encrypt_a_store_that_is_there(run):
    answer = run("init --encrypt --json", exit=5)
    assert answer.error["code"] == "store.exists"
    assert "store encrypt" in answer.error["hint"]


def test_encrypt_rekey_decrypt_keep_everything(run):
    run(f"user add alice --display-name {CANARY} --add-tag x")
    run("user add bob")
    run("user remove bob --yes")
    before, anchors = contents(run), info(run)["anchors"]
    assert traces(run) == ["store.db"]

    done = run("store encrypt --reason leased --json").json
    assert (done["outcome"], done["encrypted"]) == ("updated", True)
    assert done["key_file"] == str(key_files(run)[0])
    assert traces(run) == []
    assert {path.name for path in run.home.glob("store.db*")} == {"store.db", "store.db-line"}

    again = run("store rekey --json").json
    assert (again["former_key"], again["key"] != done["key"]) == (done["key"], True)
    assert len(key_files(run)) == 2
    assert (contents(run), info(run)["lineage"], info(run)["anchors"]) == (before, 1, anchors)

    plain = run("store decrypt --json").json
    assert (plain["encrypted"], plain["key"], plain["former_key"]) == (False, None, again["key"])
    assert is_plain(run.path)
    # an id that was given once stays taken
    assert run("user add carol --json").json["id"] == 3
    run("user remove carol --yes")
    assert contents(run) == before
    entries = run("audit list --json --action store.encrypt").json
    assert [(one["reason"], one["facts"]) for one in entries] == [("leased", {"key": done["key"]})]
    (rekeyed,) = run("audit list --json --action store.rekey").json
    assert rekeyed["facts"] == {"key": again["key"], "former": done["key"]}
    assert run("audit verify --state --json").json["holds"] is True
    assert run.sql("PRAGMA journal_mode") == [("wal",)]


def test_second_runs_change_nothing(run):
    assert run("store decrypt --json").json["outcome"] == "unchanged"
    run("store encrypt")
    before = digests(run.home)
    assert run("store encrypt --json").json["outcome"] == "unchanged"
    assert digests(run.home) == before


def test_rehearsals_write_nothing(run):
    run("user add alice")
    before = digests(run.home)
    told = run("store encrypt --dry-run --json")
    assert (told.json["dry_run"], told.json["encrypted"], told.json["key"]) == (True, True, None)
    assert "would make a new key" in told.err
    assert digests(run.home) == before
    run("store encrypt")
    before = digests(run.home)
    run("store rekey --dry-run")
    assert run("store decrypt --dry-run --json").json["encrypted"] is False
    assert digests(run.home) == before


def test_only_an_encrypted_store_has_a_key_to_change(run):
    answer = run("store rekey --json", exit=5)
    assert answer.error["code"] == "store.not_encrypted"


@ENCRYPTED
def test_the_former_key_goes_where_that_is_asked_for(run):
    run("store rekey --drop-old-key")
    (key,) = key_files(run)
    assert key.name == f"store-{info(run)['key']}.key"


@pytest.mark.engines("postgresql")
@pytest.mark.parametrize("line", ["store encrypt", "store decrypt", "store rekey", "init --encrypt"])
def test_on_postgresql_the_server_encrypts(run, line):
    answer = run(f"{line} --json", exit=6)
    assert answer.error["code"] == "store.not_a_file"
    assert info(run)["encrypted"] is None


def test_where_encryption_is_required_nothing_plain_is_made(run, tmp_path):
    env = {"USERMGMT_STORE_ENCRYPTION": "required"}
    assert "not encrypted" in run("doctor", env=env, exit=10).out
    run("store backup plain.db")
    run("store encrypt")
    run("doctor", env=env)
    assert run("store decrypt --json", env=env, exit=6).error["code"] == "store.must_be_encrypted"
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    assert run(["--store", str(other / "s.db"), "init", "--json"], env=env).json["encrypted"] is True
    answer = run(["--store", str(tmp_path / "home2.db"), "store", "restore", "plain.db", "--json"], env=env, exit=6)
    assert answer.error["code"] == "store.must_be_encrypted"
    # over an encrypted store it is encrypted
    run("store restore plain.db --yes", env=env)
    assert info(run)["encrypted"] is True


@pytest.mark.engines("sqlite")
def test_where_encryption_is_required_no_copy_is_plain(run, tmp_path):
    env = {"USERMGMT_STORE_ENCRYPTION": "required"}
    copy = tmp_path / "copy.db"
    assert run(f"store copy-to {copy} --json", env=env, exit=6).error["code"] == "store.must_be_encrypted"
    assert not copy.exists()
    run("store encrypt")
    run(f"store copy-to {copy}", env=env)
    assert not is_plain(copy)
    assert run(["--store", str(copy), "store", "info", "--json"]).json["encrypted"] is True


@pytest.mark.engines("postgresql")
def test_where_encryption_is_required_no_file_is_made_of_a_database(run, tmp_path):
    copy = tmp_path / "copy.db"
    answer = run(f"store copy-to {copy} --json", env={"USERMGMT_STORE_ENCRYPTION": "required"}, exit=6)
    assert answer.error["code"] == "store.must_be_encrypted"
    assert not copy.exists()


# -- backups -----------------------------------------------------------------------------------------------------------


@ENCRYPTED
def test_backups_are_encrypted_and_name_the_key(run):
    run(f"user add alice --display-name {CANARY}")
    made = run("store backup b.db --json").json
    manifest = (run.home / "b.db.manifest.json").read_text()
    assert json.loads(manifest)["key"] == made["key"] == info(run)["key"]
    secret = json.loads(key_files(run)[0].read_text())["key"]
    assert secret not in manifest
    assert traces(run) == []
    run("user add bob")
    run("store restore b.db --yes")
    assert names(run) == ["alice"]
    assert not is_plain(run.path)
    run("audit verify --state")
    assert run(["--store", str(run.home / "b.db"), "store", "info", "--json"]).json["encrypted"] is True


@ENCRYPTED
def test_a_backup_of_a_former_key_becomes_the_store_with_the_present_one(run):
    run("user add alice")
    run("store backup b.db")
    run("store rekey")
    key = info(run)["key"]
    run("store restore b.db --yes")
    assert (info(run)["key"], names(run)) == (key, ["alice"])
    run.path.unlink()
    run("store restore b.db")
    assert info(run)["key"] != key


@ENCRYPTED
def test_without_its_key_a_backup_is_refused(run):
    run("store backup b.db")
    run("store rekey --drop-old-key")
    before = digests(run.home)
    answer = run("store restore b.db --yes --json", exit=8)
    assert answer.error["code"] == "key.wrong"
    assert answer.err.count("\n") == 1
    assert digests(run.home) == before


@ENCRYPTED
def test_an_encrypted_backup_over_a_plain_store_says_that_it_will_be_plain(run):
    run("user add alice")
    run("store backup b.db")
    run("store decrypt")
    assert "will be plain" in run("store restore b.db --yes").err
    assert is_plain(run.path)
    run("store encrypt")
    run("audit verify --state")


@pytest.mark.engines("postgresql")
def test_an_encrypted_backup_is_restored_into_a_database(run):
    file = run.home / "s.db"
    run("user add alice")
    run("store backup pg.db")
    # as on another host: the anchors of two stores of one id would contradict each other
    elsewhere = {"USERMGMT_AUDIT_ANCHOR_DIR": str(run.home / "elsewhere")}
    for line in ("store restore pg.db", "store encrypt", "store backup b.db"):
        run(["--store", str(file), *line.split()], env=elsewhere)
    run("user add bob")
    run("store restore b.db --yes")
    assert names(run) == ["alice"]


@ENCRYPTED
def test_other_processes_read_and_write_it(run):
    process = spawned(run, "user", "add", "alice")
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert names(run) == ["alice"]


# -- others at the same time -------------------------------------------------------------------------------------------


def test_whoever_has_the_store_open_holds_it_up_and_nothing_changes(run):
    from usermgmt.kernel import sqlite

    other = sqlite.driver().connect(run.url, isolation_level=None)
    other.execute("SELECT count(*) FROM user").fetchone()
    before = run.path.read_bytes()
    answer = run("store encrypt --json", exit=8, env={"USERMGMT_STORE_BUSY_TIMEOUT": "0"})
    assert answer.error["code"] == "store.busy"
    assert "audit tail" in answer.error["hint"]
    other.close()
    assert run.path.read_bytes() == before
    assert key_files(run) == []
    run("store encrypt")


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_connection_that_waited_goes_on_with_the_new_file(run, mode, monkeypatch):
    """What was opened before the exchange and gets its lock after it must not be written to: nobody would see it."""
    from usermgmt.domains.store import recoding
    from usermgmt.kernel import store
    from usermgmt.kernel.turns import Turn

    run.sql(f"PRAGMA journal_mode={mode}")
    # where writers can stand in line, they open nothing meanwhile; some directories take no file for it
    monkeypatch.setattr(store, "turn", lambda _path, patience: contextlib.nullcontext(Turn(patience)))
    answers = []
    late = threading.Thread(target=lambda: answers.append(run("user add late", exit=None)))
    exchange = recoding._exchange

    def when_one_waits(connection, copy, path):
        late.start()
        seen = 0
        while seen < 5 and late.is_alive():
            time.sleep(0.01)
            seen = seen + 1 if opened(path) > 1 else 0
        exchange(connection, copy, path)

    monkeypatch.setattr(recoding, "_exchange", when_one_waits)
    run("store encrypt")
    late.join(timeout=60)
    assert answers[0].exit == 0, answers[0].err
    assert names(run) == ["late"]
    run("audit verify --state")


def opened(path):
    """How often this process has a file open."""
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += one.readlink() == path
    return found


@pytest.mark.parametrize("verb", ["encrypt", "rekey", "decrypt"])
def test_a_full_disk_leaves_the_store_as_it_was(run, verb):
    if verb != "encrypt":
        run("store encrypt")
    run("user add alice")
    before, room = kept(run), run.path.stat().st_size - 20_000

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    process = spawned(run, "store", verb, "--json", preexec_fn=limit)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (8, b""), err
    assert orjson.loads(err.splitlines()[-1])["error"]["code"] == "disk.full"
    assert kept(run) == before
    run(f"store {verb}")
    assert names(run) == ["alice"]


def kept(run):
    """Every file, but for what SQLite and the writers' line may leave beside the store with nothing in it."""
    return {name: digest for name, digest in digests(run.home).items() if not name.startswith("store.db-")}


# -- completion --------------------------------------------------------------------------------------------------------


@ENCRYPTED
def test_users_complete_where_the_key_is_here_and_nothing_is_said_where_it_is_not(run, capsys):
    from usermgmt.kernel import completion

    def offered(line):
        return list(completion._answer({**run.env, "_USERMGMT_COMPLETE": "bash", "COMP_LINE": f"usermgmt {line}"}, []))

    run("user add alice")
    assert offered("user show al") == ["alice"]
    key_files(run)[0].unlink()
    assert offered("user show al") == []
    assert set(offered("store re")) == {"rekey", "restore"}
    assert capsys.readouterr() == ("", "")


def test_the_key_file_is_what_the_manual_says(run):
    run("store encrypt")
    values = orjson.loads(key_files(run)[0].read_bytes())
    told = info(run)
    assert (values["format"], values["store"], values["id"]) == (FORMAT, told["store_id"], told["key"])
    assert len(bytes.fromhex(values["key"])) == 32
