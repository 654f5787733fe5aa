"""`store copy-to`: the same store in another place, of either engine, verified, while the original goes on."""

from __future__ import annotations

import resource
import shutil
import signal

import orjson
import pytest
from conftest import Runner
from hypothesis import given, settings
from hypothesis import strategies as st
from store_helpers import contents, digests, info, names, old_store, spawned, writers

APART = ("USERMGMT_STORE_KEY_DIR", "USERMGMT_AUDIT_ANCHOR_DIR")


class Places:
    """Places without a store, each with the settings of the store that is copied there."""

    def __init__(self, run, tmp_path, request):
        self._run, self._tmp, self._request = run, tmp_path, request
        self._made = []

    def __call__(self, engine):
        if engine == "sqlite":
            home = self._tmp / f"place{len(list(self._tmp.iterdir()))}"
            home.mkdir(mode=0o700)
            url = str(home / "copy.db")
        else:
            home = self._run.home
            server = self._request.getfixturevalue("postgres")
            self._made.append(server.database())
            url = server.url(self._made[-1])
        made = Runner(url, home, engine)
        made.env = {**self._run.env, "USERMGMT_STORE": url}
        return made

    def close(self):
        for name in self._made:
            self._request.getfixturevalue("postgres").execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def places(run, tmp_path, request):
    made = Places(run, tmp_path, request)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request, places):
    return places(request.param)


@pytest.fixture
def apart(run):
    """A store whose settings name no place for keys and anchors: each file has them beside it."""
    for name in APART:
        del run.env[name]
    return run


def fill(run):
    declared = run.home / "attributes.toml"
    declared.write_text("[attribute.height]\ntype = 'integer'\n[attribute.badge]\ntype = 'text'\n")
    declared.chmod(0o600)
    run(
        "user add alice --email alice@example.com --full-name 张伟 --birth-date 1990-05-17 --add-tag vip --add-tag 员工"
        " --external-id hr/7 --valid-until 2090-01-01 --attribute height=180 --attribute badge=工牌",
        env={"USERMGMT_CONFIG": str(declared)},
    )
    run(["user", "add", "bob", "--occupation", "C:\\new\\table", "--display-name", "😀 \\N"])
    run(["user", "note", "alice", "--text", "one\ntwo \\."])
    run("user rename bob robert")
    run("user add gone")
    run("user remove gone --yes")


def copy(run, to, *options, **more):
    return run(["store", "copy-to", to.url, "--json", *options], **more)


def exported(run):
    return run("export users -o ndjson -q").data


def log(run, n):
    """The first `n` entries of the audit, as an export has them."""
    lines = run("audit export -o ndjson -q").data.splitlines(keepends=True)
    return [line for line in lines if (orjson.loads(line).get("seq") or 0) in range(1, n + 1)]


def test_the_copy_is_the_same_store_and_both_verify(run, target):
    fill(run)
    before = info(run)
    done = copy(run, target).json
    assert done["outcome"] == "created"
    assert done["from"] == {"n": before["entries"], "hash": before["head"], "lineage": 1}
    assert (done["store_id"], done["lineage"], done["entries"]) == (before["store_id"], 2, before["entries"] + 1)
    assert done["counts"] == before["counts"]
    assert [one["action"] for one in run("audit list --json").json][-2:] == ["user.remove", "store.copy-to"]
    assert [one["action"] for one in target("audit list --json").json][-2:] == ["user.remove", "store.copy"]
    run("audit verify --state")
    target("audit verify --state")
    # the original first: with the export there is an entry in the audit of the copy
    assert exported(run) == exported(target)


def test_there_and_back_gives_the_same_bytes(run, places):
    fill(run)
    there, back = places("postgresql" if run.engine == "sqlite" else "sqlite"), places(run.engine)
    n = copy(run, there).json["from"]["n"]
    users, entries = exported(run), log(run, n)
    assert len(entries) == n
    copy(there, back)
    assert (exported(back), log(back, n)) == (users, entries)
    back("audit verify --state")


TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@pytest.mark.engines("sqlite")
def test_any_texts_come_back(run, places):
    number = iter(range(1_000_000))

    @settings(max_examples=6)
    @given(st.lists(st.tuples(TEXT, st.none() | TEXT, st.booleans()), min_size=1, max_size=5))
    def check(people):
        rows = [
            {
                "username": f"u{next(number)}",
                "display_name": name,
                "occupation": more,
                "birth_date": "0001-01-01" if born else None,
                "valid_from": "1970-01-01T00:00:00.001Z" if born else None,
            }
            for name, more, born in people
        ]
        run("import users - -q", stdin=b"\n".join(map(orjson.dumps, rows)), exit=None)
        there, back = places("postgresql"), places("sqlite")
        n = copy(run, there).json["from"]["n"]
        users, entries = exported(run), log(run, n)
        copy(there, back)
        assert (exported(back), log(back, n)) == (users, entries)
        # each round begins with the original, which no copy was put in the place of
        shutil.rmtree(back.home)
        for line in run.home.glob("anchors/*"):
            kept = [one for one in line.read_bytes().splitlines(keepends=True) if b'"lineage":1,' in one]
            line.write_bytes(b"".join(kept))

    check()


def test_ids_go_on_after_the_last_one_that_was_given(run, target):
    fill(run)
    copy(run, target)
    # the third one was removed
    assert target("user add dave --json").json["id"] == 4
    target("audit verify --state")


def test_the_original_is_told_once_the_copy_is_put_to_use(run, target):
    fill(run)
    answer = copy(run, target)
    assert "refused from then on" in answer.err
    # both go on as long as the copy is only looked at
    run("user add later")
    assert names(target, env={"USERMGMT_QUIET": ""}) == ["alice", "robert"]
    assert "the original went on to entry" in target("audit verify --state").err
    target("user add dave")
    assert target("audit verify --json").json["anchored"] == answer.json["entries"] + 1
    refused = run("user add eve --json", exit=12)
    assert "a copy, of lineage 2, was put to use" in refused.error["message"]
    target("audit verify --state", exit=0)


def test_a_second_copy_is_another_lineage(run, target, places):
    copy(run, target)
    second = places("sqlite")
    assert copy(run, second).json["lineage"] == 3
    target("user add alice")
    second("user add bob")
    assert "lineage 3" in target("user list --json", exit=12).error["message"]


@pytest.mark.engines("sqlite")
def test_apart_each_has_its_key_and_anchors(apart, places):
    run, target = apart, places("sqlite")
    fill(run)
    answer = copy(run, target).json
    where = target("store info --json").json
    assert (answer["keys"], answer["anchors"]) == (where["keys"], where["anchors"])
    [key] = target.home.glob("keys/*/anchor.key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert target("audit verify --json").json["anchored"] == answer["entries"]
    # each goes on by itself, and a checkpoint of the one tells the other
    run("user add eve")
    target("user add dave")
    for one in (run, target):
        one("audit verify --state")
    run("audit checkpoint --out here.json")
    target("audit verify --anchor " + str(run.home / "here.json"), exit=12)


def test_a_rehearsal_checks_and_changes_nothing(run, target, tmp_path):
    fill(run)
    before, entries = digests(tmp_path), info(run)["entries"]
    rehearsed = copy(run, target, "--dry-run")
    assert rehearsed.json["dry_run"] is True
    assert "would begin lineage 2" in rehearsed.err
    # a look leaves no entry, but reading may touch what SQLite keeps beside the file
    assert {name for name in digests(tmp_path) if "-wal" not in name and "-shm" not in name} == {
        name for name in before if "-wal" not in name and "-shm" not in name
    }
    assert info(run)["entries"] == entries
    assert copy(run, target).json["counts"] == rehearsed.json["counts"]
    assert copy(run, target, "--dry-run", exit=5).out == ""


def test_what_is_there_is_left_alone(run, target):
    fill(run)
    target.sql("CREATE TABLE theirs (one INT)")
    entries = info(run)["entries"]
    answer = copy(run, target, exit=5)
    assert answer.error["code"] == ("file.exists" if target.engine == "sqlite" else "copy.taken")
    assert target.sql("SELECT count(*) FROM theirs") == [(0,)]
    assert info(run)["entries"] == entries + 1  # the refusal
    # nor does a store make room for its own copy
    assert run(["store", "copy-to", run.url, "--json"], exit=5).out == ""


def test_writers_go_on_while_it_is_copied(run, target):
    run("user add alice --add-tag x")
    with writers(run, 2, 12):
        done = copy(run, target).json
    listed = names(target)
    assert done["counts"]["user"] == len(listed) <= len(names(run)) == 25
    run("audit verify --state")
    target("audit verify --state")


@pytest.mark.engines("sqlite")
def test_a_store_with_a_rollback_journal_can_be_copied(run, target):
    fill(run)
    run.sql("PRAGMA journal_mode=DELETE")
    copy(run, target)
    assert contents(run) == contents(target)


def test_a_store_that_does_not_hold_is_not_copied(run, target):
    fill(run)
    run.sql("UPDATE \"user\" SET occupation = 'king' WHERE username = 'alice'")
    answer = copy(run, target, exit=12)
    assert answer.error["code"] == "copy.broken"
    assert "alice" in answer.error["message"]
    assert copy(run, target, "--dry-run", exit=12).error["code"] == "copy.broken"
    target("user list", exit=8)


@pytest.mark.engines("sqlite")
def test_another_key_in_its_place_is_left_alone(apart, places):
    from usermgmt.kernel.audit import keys

    target = places("sqlite")
    folder = target.home / "keys" / info(apart)["store_id"]
    keys.create_key(folder)
    before = digests(target.home)
    assert copy(apart, target, exit=5).error["code"] == "copy.other_key"
    assert digests(target.home) == before


@pytest.mark.engines("sqlite")
def test_what_a_killed_run_left_is_told_and_completed(apart, places):
    target = places("sqlite")
    (target.home / ".copy.db.abc").mkdir()
    folder = target.home / "keys" / info(apart)["store_id"]
    folder.mkdir(parents=True, mode=0o700)
    shutil.copy(info(apart)["keys"] + "/anchor.key", folder)
    answer = copy(apart, target)
    assert ".copy.db.abc" in answer.err
    assert (folder / "anchor.pub").exists()
    target("audit verify")


@pytest.mark.engines("sqlite")
def test_places_that_are_none(run, postgres, tmp_path):
    missing = postgres.url("no_such_database")
    assert "createdb" in run(["store", "copy-to", missing, "--json"], exit=8).error["hint"]
    run(["store", "copy-to", missing.replace("postgres:@", "postgres:secret@")], exit=2)
    run(["store", "copy-to", "mysql://x/y"], exit=2)
    run(["store", "copy-to", str(tmp_path / "nowhere" / "copy.db")], exit=3)
    (tmp_path / "link.db").symlink_to(run.path)
    run(["store", "copy-to", str(tmp_path / "link.db")], exit=5)


@pytest.mark.store
def test_an_older_schema_is_migrated_first(run, places):
    old_store(run)
    assert copy(run, places("sqlite"), exit=8).error["code"] == "schema.old"


def test_a_full_disk_leaves_no_copy(run, places):
    target = places("sqlite")
    fill(run)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = spawned(run, "store", "copy-to", target.url, "--json", preexec_fn=limit)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (8, b""), err
    assert orjson.loads(err.splitlines()[-1])["error"]["code"] == "disk.full"
    assert list(target.home.iterdir()) == []
    run("audit verify --state")


def test_a_server_that_goes_away_leaves_no_copy(run, places):
    target = places("postgresql")
    fill(run)
    target.sql("CREATE SCHEMA chaos")
    target.sql(
        "CREATE FUNCTION chaos.quit() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = 'user_note') "
        "THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; END $$"
    )
    target.sql("CREATE EVENT TRIGGER quit ON ddl_command_end EXECUTE FUNCTION chaos.quit()")
    assert copy(run, target, exit=8).error["code"] == "store.unreadable"
    target.sql("DROP EVENT TRIGGER quit")
    target("user list", exit=8)
    copy(run, target)
    target("audit verify --state")


@pytest.mark.engines("sqlite")
def test_an_encrypted_store_stays_so_in_a_file(apart, places):
    run, target, there = apart, places("sqlite"), places("postgresql")
    there.env |= {
        "USERMGMT_STORE_KEY_DIR": str(run.home / "keys"),
        "USERMGMT_AUDIT_ANCHOR_DIR": str(run.home / "apart"),
    }
    fill(run)
    run("store encrypt")
    assert copy(run, target).json["encrypted"] is True
    assert b"alice" not in (target.home / "copy.db").read_bytes()
    assert names(target) == names(run)
    target("audit verify --state")
    assert "not: only its server" in copy(run, there, env=there.env | {"USERMGMT_STORE": run.url}).err
    assert names(there) == names(run)
