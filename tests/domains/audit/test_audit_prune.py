"""`audit prune`: old entries go into an archive that holds, nothing young goes, and what stays is exact."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys

import pytest
from audit_tampering import findings, holds, last
from pruned_stores import PROGRAM, at, prune, verified, years

from usermgmt.domains.audit import prune as pruning

pytestmark = pytest.mark.store("--simulate --region CN")


@pytest.fixture
def store(run):
    return years(run)


def seqs(run):
    return [row[0] for row in run.sql("SELECT seq FROM audit_entry ORDER BY seq")]


# -- the guard ---------------------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_nothing_younger_than_half_a_year_is_removed(store):
    before = seqs(store)
    refused = prune(store, "179d", now="2031-06-01", options="--yes --json", exit=6)
    assert refused.error["code"] == "audit.retention"
    assert "2030-12-03T00:00:00.000Z" in refused.error["hint"]
    prune(store, "2031-05-01", now="2031-06-01", exit=6)
    prune(store, "1w", now="2031-06-01", options="--dry-run", exit=6)
    # two attempts are on the log, a rehearsal is not
    assert seqs(store) == [*before, len(before) + 1, len(before) + 2]
    failed = store("audit list --action audit.prune --json").json
    assert [(one["outcome"], one["error"]) for one in failed] == [("failed", "audit.retention")] * 2
    assert not (store.home / "a.ndjson").exists()
    prune(store, "180d", now="2031-06-01")


@pytest.mark.engines("sqlite")
def test_the_setting_says_what_is_young(store):
    env = {"USERMGMT_AUDIT_RETENTION": "400d"}
    assert "400d" in prune(store, "399d", now="2031-06-01", env=env, exit=6).err
    assert prune(store, "400d", now="2031-06-01", env=env).out.startswith("audit entries 1 to 6: removed; archive: ")
    assert at(store, "audit prune --before nonsense --archive b.ndjson", "2031-06-01", exit=6).out == ""


@pytest.mark.engines("sqlite")
def test_doctor_warns_of_less_than_half_a_year(store):
    told = {one["check"]: one for one in store("doctor --json", exit=None).json}
    assert told["retention"]["severity"] == "ok"
    env = {"USERMGMT_AUDIT_RETENTION": "179d"}
    told = {one["check"]: one for one in store("doctor --json", exit=None, env=env).json}
    assert (told["retention"]["severity"], told["retention"]["next"].split()[-1]) == ("warning", "180d")


def test_it_asks_first_and_a_rehearsal_saves_nothing(store):
    before = seqs(store)
    assert "entries 1 to 6" in prune(store, "2030-12-01", options="", exit=9).err
    told = prune(store, "2030-12-01", options="--dry-run --json").json
    assert (told["outcome"], told["dry_run"], told["n"], told["count"]) == ("removed", True, 6, 6)
    assert (told["sha256"], told["restated"]) == (None, 2)
    prune(store, "2030-12-01", options="--confirm-count 5", exit=5)
    # nothing but that attempt
    assert seqs(store)[:-1] == before
    assert not (store.home / "a.ndjson").exists()
    prune(store, "2030-12-01", options="--confirm-count 6")


@pytest.mark.engines("sqlite")
def test_a_person_is_asked_on_a_terminal(store):
    words = "audit prune --before 2030-12-01 --archive a.ndjson --now 2031-06-01"
    assert "[y/N]" in store(words, tty=True, stdin="n\n", exit=9).err
    store(words, tty=True, stdin="y\n")
    assert seqs(store)[0] == 7


def test_an_entry_that_is_young_stays_whatever_the_clock_did_around_it(run):
    at(run, "user add early", "2030-01-01")
    at(run, "user add ahead", "2031-05-01")
    at(run, "user add back", "2030-01-02")
    done = prune(run, "2030-12-01", options="--yes --json").json
    assert (done["n"], done["count"]) == (2, 2)
    assert seqs(run)[0] == 3
    holds(run, "--state")


# -- what goes, and what stays -----------------------------------------------------------------------------------------


def test_what_is_removed_is_in_the_archive_and_the_rest_holds(store):
    before = store("audit list --json --reveal --reason x").json
    done = prune(store, "2030-12-01", options="--yes --json --reason law").json
    assert (done["outcome"], done["n"], done["count"], done["restated"]) == ("removed", 6, 6, 2)
    path = store.home / "a.ndjson"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header, *entries = map(json.loads, path.read_text().splitlines())
    assert [one["seq"] for one in entries] == [1, 2, 3, 4, 5, 6]
    assert (header["n"], header["base"]["n"], header["hash"]) == (6, 0, done["hash"])
    assert [one["hash"] for one in entries] == [one["hash"] for one in before[:6]]
    assert verified(path) == (0, "6 entries")
    found = holds(store, "--state")
    assert (found["removed"], found["rows"]) == (6, 2)
    # a reveal and the export came before, and the record of the prune is the last
    assert seqs(store)[0] == 7
    entry = store("audit list --action audit.prune --json").json[-1]
    assert (entry["reason"], entry["facts"]["n"], entry["facts"]["archive"]["sha256"]) == ("law", 6, done["sha256"])
    store("audit export --out e.ndjson")
    assert verified(store.home / "e.ndjson") == (0, f"entries 7 to {last(store) - 1}")
    assert verified(path, store.home / "e.ndjson") == (0, f"{last(store) - 1} entries")


@pytest.mark.engines("sqlite")
def test_where_nothing_is_old_enough_nothing_is_done(store):
    prune(store, "2030-12-01")
    before = seqs(store)
    assert prune(store, "2030-12-01", name="b.ndjson", options="").out.endswith(": unchanged\n")
    assert seqs(store) == before
    assert not (store.home / "b.ndjson").exists()


def test_readers_say_what_is_in_archives(store):
    prune(store, "2030-12-01")
    gone = store("audit show 3 --json", exit=3).error
    assert (gone["code"], gone["details"]) == ("audit.archived", {"seq": 3, "removed": 6})
    assert store("audit show 99 --json", exit=3).error["code"] == "audit.not_found"
    assert store("audit show 7 --json").json["holds"] is True
    assert "entries 1 to 6" in store("audit list").err
    assert store("audit list --since 2030-12-01").err == ""
    told = store("user history alicia --json")
    assert "entries 1 to 6" in told.err
    assert [one["action"] for one in told.json] == ["user.set", "audit.restate"]
    assert told.json[-1]["changes"]["email"] == [None, "a***@example.com"]
    store("audit tail --limit 3")


CHANGED = {
    'UPDATE "user" SET email = ? WHERE id = 1': ("x@example.com", "email"),
    'UPDATE "user" SET created_at = ? WHERE id = 1': ("2001-01-01T00:00:00.000Z", "created_at"),
    'UPDATE "user" SET version = ? WHERE id = 1': (9, "version"),
    "UPDATE user_note SET text = ?": ("x", "note:"),
    "UPDATE user_note SET actor = ?": ("x", "note:"),
    "UPDATE user_former_name SET until = ?": ("2001-01-01T00:00:00.000Z", "former_name:alice"),
    "UPDATE user_tag SET tag = ?": ("x", "tags"),
}


@pytest.mark.engines("sqlite")
def test_rows_are_compared_as_before(store):
    prune(store, "2030-12-01")
    whole = store.path.read_bytes()
    for statement, (value, field) in CHANGED.items():
        store.sql(statement, value)
        (found,) = findings(store, "--state")
        assert found["name"] == "alicia"
        assert all(name.startswith(field) for name in found["fields"]), found
        store.path.write_bytes(whole)
    holds(store, "--state")


def test_a_row_removed_or_changed_after_the_prune_is_named_and_commands_go_on(store):
    prune(store, "2030-12-01")
    at(store, "user rename alicia anna", "2031-06-02")
    at(store, "user note anna --text again", "2031-06-02")
    at(store, "user remove carl --yes", "2031-06-02")
    assert holds(store, "--state")["rows"] == 1
    store.sql("DELETE FROM \"user\" WHERE username = 'anna'")
    found = findings(store, "--state")
    # the index of names has no user for her pairs either
    assert [(one["name"], one["kind"]) for one in found] == [("anna", "state"), (None, "state")]


def test_a_year_of_prunes_and_all_its_archives_are_one_log(store):
    prune(store, "2030-12-01", name="1.ndjson")
    at(store, "user add dora", "2031-07-01")
    prune(store, "2031-12-01", now="2032-06-15", name="2.ndjson")
    prune(store, "2032-12-01", now="2033-06-15", name="3.ndjson")
    assert holds(store, "--state")["rows"] == 3
    store("audit export --out e.ndjson")
    files = [store.home / f"{name}.ndjson" for name in "123e"]
    assert verified(*files) == (0, f"{last(store) - 1} entries")
    for path in files:
        assert verified(path)[0] == 0, path
    assert verified(files[0], files[2])[0] == 12
    assert verified(files[1], files[0])[0] == 12


def test_users_who_are_gone_go_with_their_entries(run):
    for name in ("a", "b"):
        at(run, f"user add {name} --email {name}@example.com", "2030-01-01")
    at(run, "user remove a --yes", "2030-01-02")
    at(run, "user remove b --yes", "2031-01-01")
    assert prune(run, "2030-12-01", options="--yes --json").json["restated"] == 0
    assert holds(run, "--state")["rows"] == 0
    at(run, "user add a", "2031-06-02")
    # all of it: what is left is what this prune writes
    assert prune(run, "2031-12-01", now="2032-06-01", name="b.ndjson", options="--yes --json").json["restated"] == 1
    assert [one["action"] for one in run("audit list --json").json] == ["audit.export", "audit.restate", "audit.prune"]
    holds(run, "--state")
    at(run, "user set a --occupation x", "2032-06-02")
    holds(run, "--state")


@pytest.mark.engines("sqlite")
def test_a_simulated_store_stays_one_and_a_real_one_too(store):
    prune(store, "2030-12-01")
    store.sql("UPDATE store_meta SET region = 'DE'")
    assert [(one["kind"], one["name"]) for one in findings(store)] == [("store", "region")]
    at(store, "user list", "2031-06-02")


# -- what must not be pruned -------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_a_store_that_does_not_hold_is_not_pruned(store):
    whole, before = store.path.read_bytes(), seqs(store)
    for statement in (
        "UPDATE audit_entry SET actor = 'x' WHERE seq = 3",
        "DELETE FROM audit_pii WHERE seq = 2",
        "UPDATE \"user\" SET occupation = 'x' WHERE username = 'carl'",
        "INSERT INTO user_tag (user_id, tag) VALUES (1, 'x')",
    ):
        store.sql(statement)
        assert prune(store, "2030-12-01", options="--yes --json", exit=12).error["code"] == "audit.not_pruned"
        assert prune(store, "2030-12-01", options="--dry-run", exit=12).out == ""
        assert (seqs(store), (store.home / "a.ndjson").exists()) == (before, False)
        store.path.write_bytes(whole)
    prune(store, "2030-12-01")


@pytest.mark.engines("sqlite")
def test_an_archive_needs_a_name_that_is_free(store):
    before = seqs(store)
    (store.home / "a.ndjson").write_text("mine")
    assert prune(store, "2030-12-01", options="--yes --json", exit=5).error["code"] == "file.exists"
    assert (store.home / "a.ndjson").read_text() == "mine"
    prune(store, "2030-12-01", name="no/where.ndjson", exit=3)
    prune(store, "2030-12-01", name="-", exit=2)
    (store.home / "link").symlink_to(store.home / "elsewhere")
    prune(store, "2030-12-01", name="link", exit=5)
    assert not (store.home / "elsewhere").exists()
    # two attempts that conflicted
    assert seqs(store)[:-2] == before


@pytest.mark.engines("sqlite")
def test_without_the_key_nothing_is_removed(store):
    (key,) = (store.home / "keys").rglob("anchor.key")
    key.rename(key.with_name("kept"))
    assert prune(store, "2030-12-01", options="--yes --json", exit=8).error["code"] == "key.fault"
    assert not (store.home / "a.ndjson").exists()
    assert seqs(store)[0] == 1


@pytest.mark.engines("sqlite")
def test_a_full_disk_leaves_the_store_as_it_was(store):
    before = seqs(store)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    words = f"audit prune --before 2030-12-01 --archive {store.home}/a.ndjson --yes --json --now 2031-06-01".split()
    code = "import sys; from usermgmt.main import console; console()"
    command = [sys.executable, "-c", code, *words]
    env = {**os.environ, **store.env}
    done = subprocess.run(command, env=env, capture_output=True, check=False, preexec_fn=limit, timeout=240)
    assert done.returncode == 8, done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "disk.full"
    assert [path.name for path in store.home.glob("*.ndjson*")] == []
    assert seqs(store) == before
    holds(store, "--state")


@pytest.mark.parametrize("place", ["write", "_take_away"])
def test_broken_off_anywhere_the_store_is_as_it_was(store, monkeypatch, place):
    before = seqs(store)
    module = pruning.archive if place == "write" else pruning
    real = getattr(module, place)

    def broken_off(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, place, broken_off)
    prune(store, "2030-12-01", exit=130)
    monkeypatch.undo()
    # once the archive has its name the log knows that it left
    written = place == "_take_away"
    assert seqs(store) == [*before, len(before) + 1] if written else before
    assert (store.home / "a.ndjson").exists() is written
    assert holds(store, "--state")["removed"] == 0
    prune(store, "2030-12-01", name="b.ndjson")
    assert holds(store, "--state")["removed"] == 6


@pytest.mark.engines("sqlite")
def test_an_archive_that_a_disk_spoils_is_noticed_before_anything_goes(store, monkeypatch):
    real = pruning.archive.export_lines

    def spoiled(*arguments):
        for number, line in enumerate(real(*arguments)):
            yield line.replace(b'"owner"', b'"owneR"').replace(b'"root"', b'"rooT"') if number == 4 else line

    monkeypatch.setattr(pruning.archive, "export_lines", spoiled)
    refused = prune(store, "2030-12-01", options="--yes --json", exit=12)
    assert refused.error["code"] == "audit.archive_broken"
    assert not (store.home / "a.ndjson").exists()
    assert seqs(store)[0] == 1


def test_of_two_prunes_at_once_one_gives_way(store, monkeypatch):
    real = pruning._archived

    def overtaken(*arguments):
        made = real(*arguments)
        monkeypatch.undo()
        prune(store, "2030-12-01", name="b.ndjson")
        return made

    monkeypatch.setattr(pruning, "_archived", overtaken)
    refused = prune(store, "2030-12-01", options="--yes --json", exit=5)
    assert refused.error["code"] == "audit.pruned_meanwhile"
    assert "a.ndjson is whole, and stays" in refused.err
    assert holds(store, "--state")["removed"] == 6
    assert verified(store.home / "a.ndjson") == verified(store.home / "b.ndjson") == (0, "6 entries")


@pytest.mark.engines("sqlite")
def test_the_program_that_checks_archives_is_the_printed_one(run):
    assert run("help verifier").out == PROGRAM.read_text()
