"""`audit verify`: meddling with log, head, personal parts and schema is named, by the entry where it lies."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from audit_tampering import cut, findings, holds, last, rechain, recommit

from usermgmt.kernel import sqlite


@pytest.fixture
def store(run):
    """Ten entries; 2 to 10 add u2 to u10."""
    for n in range(2, 11):
        run(f"user add u{n} --email u{n}@example.com")
    return run


def named(found):
    return [(one["kind"], one["entry"]) for one in found]


def test_a_log_that_nobody_touched_holds(store):
    found = holds(store, "--state")
    head = store.sql("SELECT seq, hash FROM audit_head")[0]
    assert (found["entries"], found["hash"]) == head
    assert (found["lineage"], found["anchored"], found["rows"], found["redacted"]) == (1, 10, 9, 0)
    assert found["anchors"] == 10
    assert found["warnings"] == []
    assert re.fullmatch("[0-9a-f]{64}", found["root"])


def test_the_answer_for_people(store):
    out = store("audit verify -o table").out
    assert re.search(r"Entries +10\n", out)
    assert "Problems" in out
    assert store("audit verify").err == ""


def test_verifying_leaves_no_trace(store):
    holds(store)
    assert last(store) == 10


@pytest.mark.parametrize("seq", [1, 2, 5, 10])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "nobody"),
        ("at", "2001-01-01T00:00:00.000Z"),
        ("change_id", "x"),
        ("via", "{}"),
        ("action", "user.tag"),
        ("target", "user:x"),
        ("outcome", "denied"),
        ("body", "{}"),
        ("hash", "0" * 64),
    ],
)
@pytest.mark.engines("sqlite")
def test_an_edited_entry_is_named(store, seq, column, value):
    store.sql(f"UPDATE audit_entry SET {column} = ? WHERE seq = ?", value, seq)
    found = findings(store)
    assert ("hash", seq) in named(found) or ("head", 10) in named(found)
    assert {one["entry"] for one in found} <= {seq, None}


def test_an_edited_entry_is_named_on_both_engines_for_people(store):
    store.sql("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 5")
    told = store("audit verify", exit=12)
    lines = told.err.splitlines()
    assert lines[0].startswith("error: entry 5: ")
    assert lines[1].startswith("error: the audit does not hold: 1 problem")
    assert lines[2].startswith("hint: ")
    assert len(lines) == 3
    assert "holds\tfalse" in told.out


def test_a_deleted_entry_is_named(store):
    store.sql("DELETE FROM audit_pii WHERE seq = 5")
    store.sql("DELETE FROM audit_entry WHERE seq = 5")
    found = findings(store)
    assert named(found) == [("gap", 5)]
    assert "5" in found[0]["message"]


def test_the_first_entry_deleted(store):
    store.sql("DELETE FROM audit_entry WHERE seq = 1")
    assert ("gap", 1) in named(findings(store))


def test_an_entry_between_two_others_is_named(store):
    store.sql("DELETE FROM audit_pii WHERE seq = 5")
    store.sql("UPDATE audit_entry SET seq = 50 WHERE seq = 5")
    assert ("gap", 5) in named(findings(store))


def test_a_personal_part_edited_removed_or_added_is_named(store):
    store.sql("UPDATE audit_pii SET body = replace(body, 'u4@', 'x4@') WHERE seq = 4")
    store.sql("DELETE FROM audit_pii WHERE seq = 6")
    store.sql("INSERT INTO audit_pii (seq, part, subject, salt, body) VALUES (1, 0, 'x', ?, '{}')", "0" * 64)
    assert named(findings(store)) == [("part-extra", 1), ("commit", 4), ("part-missing", 6)]


def test_the_tail_cut_off_is_named(store):
    cut(store, 8)
    found = findings(store)
    assert ("gap", 8) in named(found)


def test_the_tail_cut_off_and_the_head_set_back_is_told_by_the_anchors(store):
    cut(store, 8)
    rechain(store)
    found = findings(store)
    assert named(found) == [("anchor", 8)]
    assert "8 to 10" in found[0]["message"]
    assert store("user list", exit=12).out == ""


@pytest.mark.parametrize(("column", "value"), [("hash", "0" * 64), ("seq", 9), ("seq", 12), ("frontier", "ab")])
def test_an_edited_head_is_named(store, column, value):
    store.sql(f"UPDATE audit_head SET {column} = ?", value)
    kinds = {one["kind"] for one in findings(store)}
    assert kinds <= {"head", "gap", "frontier", "anchor"}


@pytest.mark.parametrize(("column", "value"), [("hash", "0" * 64), ("frontier", "ab")])
def test_nothing_is_appended_to_a_log_whose_head_was_edited(store, column, value):
    store.sql(f"UPDATE audit_head SET {column} = ?", value)
    refused = store("user add eve", exit=12)
    assert "audit verify" in refused.err
    assert last(store) == 10


def test_a_missing_head_is_named(store):
    store.sql("DELETE FROM audit_head")
    assert ("head", None) in named(findings(store))
    assert "head of the audit" in store("user list", exit=12).err
    (store.home / "anchors").rename(store.home / "elsewhere")
    assert "head" in store("user add eve", exit=12).err


def test_a_log_rewritten_with_all_hashes_is_told_by_the_anchors(store):
    store.sql("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 5")
    rechain(store)
    found = findings(store)
    assert named(found) == [("anchor", 5)]
    assert "5 more" in found[0]["message"]
    # the last anchor disagrees: no other command works on such a store
    assert "audit entry 10" in store("user list", exit=12).err


def test_a_personal_part_rewritten_with_its_commitment_is_told_by_the_anchors(store):
    recommit(store, 4, '{"changes":{"username":[null,"mallory"]}}')
    rechain(store)
    assert named(findings(store)) == [("anchor", 4)]


@pytest.mark.engines("sqlite")
def test_yesterdays_file_put_back_is_told(run):
    run("user add alice")
    shutil.copy(run.path, run.home / "yesterday.db")
    run("user add bob")
    for side in ("-wal", "-shm"):
        Path(f"{run.path}{side}").unlink(missing_ok=True)
    shutil.copy(run.home / "yesterday.db", run.path)
    assert "older than its anchor" in run("user list", exit=12).err
    found = findings(run, "--state")
    assert named(found) == [("anchor", 3)]


@pytest.mark.parametrize(
    ("column", "value"),
    [("region", "DE"), ("created_at", "2001-01-01T00:00:00.000Z"), ("store_id", "0" * 36), ("lineage", 2)],
)
def test_what_the_store_says_of_itself_is_compared_with_its_log(store, column, value):
    store.sql(f"UPDATE store_meta SET {column} = ?", value)
    # the anchors of another store id are not those of this one
    expected = {
        "region": ("store", 1),
        "created_at": ("store", 1),
        "store_id": ("hash", 1),
        "lineage": ("lineage", None),
    }
    assert expected[column] in named(findings(store))


def test_the_simulated_mark_cannot_be_put_on(store):
    store.sql("UPDATE store_meta SET simulated = ?", True if store.engine == "postgresql" else 1)
    assert ("store", 1) in named(findings(store))
    assert store("user list --now 2030-01-01", exit=2).out == ""


TRIGGERS = {
    "sqlite": "CREATE TRIGGER quiet AFTER INSERT ON user BEGIN UPDATE user SET status = 'active'; END",
    "postgresql": "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
}


def test_a_trigger_is_named(store):
    store.sql(TRIGGERS[store.engine])
    if store.engine == "postgresql":
        store.sql('CREATE TRIGGER quiet BEFORE INSERT ON "user" FOR EACH ROW EXECUTE FUNCTION quiet()')
    found = findings(store)
    assert named(found) == [("schema", None)]
    assert "quiet" in found[0]["message"]


def test_a_view_is_named(store):
    store.sql('CREATE VIEW shadow AS SELECT * FROM "user"')
    assert [one["name"] for one in findings(store)] == ["view shadow"]


@pytest.mark.engines("postgresql")
def test_a_rule_and_a_policy_are_named(store):
    store.sql('CREATE RULE deaf AS ON DELETE TO "user" DO INSTEAD NOTHING')
    store.sql('CREATE POLICY blind ON "user" USING (id > 5)')
    assert [one["name"] for one in findings(store)] == ["policy blind on user", "rule deaf on user"]


@pytest.mark.engines("sqlite")
def test_a_table_whose_checks_were_taken_away_is_named(store):
    connection = sqlite.driver().connect(str(store.path))
    connection.execute("PRAGMA writable_schema=ON")
    connection.execute("UPDATE sqlite_master SET sql = replace(sql, ') STRICT', ')') WHERE name = 'user_tag'")
    connection.execute(
        "UPDATE sqlite_master SET sql = replace(sql, 'BETWEEN 1 AND 64', 'BETWEEN 0 AND 64') WHERE name = 'user_tag'"
    )
    connection.commit()
    connection.close()
    assert [one["name"] for one in findings(store)] == ["table user_tag"]


def test_an_index_of_the_administrator_does_no_harm(store):
    store.sql('CREATE INDEX mine ON "user" (occupation)')
    holds(store)


@pytest.mark.engines("sqlite")
def test_text_that_is_no_utf8_is_named_by_its_entry(store):
    store.sql("UPDATE audit_entry SET actor = CAST(x'ff41' AS TEXT) WHERE seq = 5")
    assert named(findings(store)) == [("hash", 5)]
    assert store("audit list", exit=12).err.startswith("error: ")


def test_many_problems_are_all_counted_and_the_first_told(store, monkeypatch):
    monkeypatch.setattr("usermgmt.domains.audit.report.MOST", 3)
    store.sql("UPDATE audit_pii SET subject = 'user:x'")
    result = store("audit verify --json", exit=12).json
    assert (result["problems"], len(result["findings"])) == (9, 3)
    assert "the first 3 shown" in store("audit verify", exit=12).err


def test_a_lawful_erasure_is_no_problem(store):
    from usermgmt.kernel.events import E

    uid = store("user show u4 --json").json["uid"]
    store.sql("DELETE FROM audit_pii WHERE subject = ?", f"user:{uid}")
    assert named(findings(store)) == [("part-missing", 4)]
    assert not [one for one in E if one == "privacy.erased"], "the erasing command exists: let it erase here"


def test_reading_stays_possible_in_another_language(store):
    store.sql("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 5")
    assert "5" in store("audit verify --lang zh", exit=12).err


def test_progress_is_for_a_terminal_and_changes_no_answer(run):
    plain = run("audit verify --state --json")
    watched = run("audit verify --state --json", tty=True)
    assert plain.err == ""
    assert watched.out == plain.out
    assert run("audit verify --state -q", tty=True).err == ""
    run("store backup backup.db", tty=True)
    assert run("store backup other.db -q", tty=True).err == ""
