"""`audit verify --state`: the entries of a user, folded, are the user; whatever was changed behind them is named."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from audit_tampering import findings, holds, rechain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usermgmt.kernel.clock import Clock

FULL = (
    "user add alice --email Alice@Example.com --phone 13800138000 --display-name Ali --full-name 李爱丽 "
    "--gender female --birth-date 1990-05-17 "
    "--occupation smith --locale zh-CN --time-zone Asia/Shanghai --valid-from 2020-01-01 "
    "--valid-until 2030-01-01 --email-verified-at 2021-01-01 --phone-verified-at 2021-01-01 --managed-by spec "
    "--add-tag vip --add-tag old --external-id ldap/7 --add-address email:a2@example.com"
)


@pytest.fixture
def store(run):
    run(FULL)
    run("user rename alice alicia")
    run("user note alicia --text 'called back'")
    run("user add bob --email bob@example.com")
    run("user remove bob --yes")
    run("user add carl")
    run("user suspend carl --reason strike")
    return run


def named(found):
    return [(one["kind"], one["name"], one["fields"]) for one in found]


def test_a_store_that_nobody_touched_holds(store):
    assert holds(store, "--state")["rows"] == 2


def test_without_state_no_row_is_looked_at(store):
    store.sql("UPDATE \"user\" SET email = 'eve@example.com', email_norm = 'eve@example.com' WHERE id = 1")
    assert holds(store)["rows"] is None
    assert len(findings(store, "--state")) == 1


def test_an_email_changed_with_another_program_names_the_user(store):
    store.sql("UPDATE \"user\" SET email = 'eve@example.com', email_norm = 'eve@example.com' WHERE id = 1")
    (found,) = findings(store, "--state")
    uid = store("user show alicia --json").json["uid"]
    assert found["target"] == f"user:{uid}"
    assert (found["kind"], found["name"], found["fields"]) == ("state", "alicia", ["email", "email_norm"])
    told = store("audit verify --state", exit=12).err.splitlines()
    assert told[0] == "error: user alicia (id:1): the row is not what the audit gives: email, email_norm"
    assert "eve@example.com" not in "".join(told)


TAMPERED = {
    "version": "9",
    "kind": "'service'",
    "status": "'suspended'",
    "status_reason": "'because'",
    "status_at": "'2001-01-01T00:00:00.000Z'",
    "username": "'mallory'",
    "username_norm": "'mallory'",
    "skeleton": "'mallory'",
    "display_name": "'x'",
    "full_name": "NULL",
    "email": "'x@example.com'",
    "email_norm": "'x@example.com'",
    "email_verified_at": "NULL",
    "phone": "'+8613800138001'",
    "phone_verified_at": "'2001-01-01T00:00:00.000Z'",
    "gender": "'male'",
    "birth_date": "'1990-05-18'",
    "occupation": "NULL",
    "locale": "'en'",
    "time_zone": "'UTC'",
    "valid_from": "NULL",
    "valid_until": "'2040-01-01T00:00:00.000Z'",
    "managed_by": "NULL",
    "created_at": "'2001-01-01T00:00:00.000Z'",
    "updated_at": "'2001-01-01T00:00:00.000Z'",
}


def test_every_column_of_a_user_is_compared(store):
    catalogue = {
        "sqlite": "SELECT name FROM pragma_table_info('user')",
        "postgresql": "SELECT attname FROM pg_attribute WHERE attrelid = 'public.user'::regclass AND attnum > 0",
    }
    columns = {row[0] for row in store.sql(catalogue[store.engine])}
    # the uid is whose entries they are, the id is the store's own number
    assert set(TAMPERED) == columns - {"id", "uid"}
    for column, value in TAMPERED.items():
        before = store.sql(f'SELECT "{column}" FROM "user" WHERE id = 1')[0][0]
        store.sql(f'UPDATE "user" SET "{column}" = {value} WHERE id = 1')
        assert column in findings(store, "--state")[0]["fields"], column
        store.sql(f'UPDATE "user" SET "{column}" = ? WHERE id = 1', before)
    holds(store, "--state")


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ("INSERT INTO user_tag (user_id, tag) VALUES (1, 'admin')", "tags"),
        ("DELETE FROM user_tag WHERE tag = 'vip'", "tags"),
        ("UPDATE user_tag SET tag = 'x' WHERE tag = 'vip'", "tags"),
        ("UPDATE user_external_id SET external_id = '8'", "external_ids"),
        ("INSERT INTO user_external_id (user_id, system, external_id) VALUES (1, 'os', '0')", "external_ids"),
        ("UPDATE user_address SET value = 'x@example.com'", "addresses"),
        ("DELETE FROM user_former_name", "former_names"),
        ("UPDATE user_former_name SET username = 'x'", "former_names"),
        ("UPDATE user_former_name SET username_norm = 'x'", "former_name:alice"),
        ("UPDATE user_former_name SET skeleton = 'x'", "former_name:alice"),
        ("UPDATE user_former_name SET until = '2001-01-01T00:00:00.000Z'", "former_name:alice"),
        ("UPDATE user_note SET text = 'x'", "note:"),
        ("UPDATE user_note SET actor = 'nobody'", "note:"),
        ("UPDATE user_note SET at = '2001-01-01T00:00:00.000Z'", "note:"),
        ("DELETE FROM user_note", "note:"),
    ],
)
def test_what_hangs_on_a_user_is_compared(store, statement, field):
    store.sql(statement)
    (found,) = findings(store, "--state")
    assert found["name"] == "alicia"
    assert any(name.startswith(field) for name in found["fields"]), found


def test_a_removed_row_is_named_by_what_the_audit_knows(store):
    if store.engine == "postgresql":
        store.sql('DELETE FROM "user" WHERE username = ?', "carl")
    else:
        store.sql("DELETE FROM user WHERE username = 'carl'")
    (found,) = findings(store, "--state")
    assert found["name"] == "carl"
    assert "there is none" in found["message"]


def test_an_inserted_row_is_named(store):
    columns = "uid, version, kind, status, status_at, username, username_norm, skeleton, created_at, updated_at"
    now = "2026-01-01T00:00:00.000Z"
    store.sql(
        f'INSERT INTO "user" ({columns}) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?)',
        "01a20753-88d2-753a-9044-dd3562f64004", "person", "active", now, "eve", "eve", "eve", now, now,
    )  # fmt: skip
    (found,) = findings(store, "--state")
    assert found["name"] == "eve"
    assert "no entry" in found["message"]


def test_a_user_who_was_removed_and_put_back_by_hand_is_named(store):
    uid = store.sql("SELECT target FROM audit_entry WHERE action = 'user.remove'")[0][0].partition(":")[2]
    columns = "uid, version, kind, status, status_at, username, username_norm, skeleton, created_at, updated_at"
    now = "2026-01-01T00:00:00.000Z"
    store.sql(
        f'INSERT INTO "user" ({columns}) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?)',
        uid, "person", "active", now, "bob", "bob", "bob", now, now,
    )  # fmt: skip
    assert [one["name"] for one in findings(store, "--state")] == ["bob"]


def test_two_rows_exchanged_are_both_named(store):
    store.sql("UPDATE \"user\" SET occupation = 'x'")
    assert [one["name"] for one in findings(store, "--state")] == ["alicia", "carl"]


def test_entries_that_were_forged_to_fit_the_row_are_told_by_the_anchors(store):
    store.sql("UPDATE \"user\" SET kind = 'service' WHERE username = 'carl'")
    store.sql("UPDATE audit_entry SET body = replace(body, 'person', 'service') WHERE seq = 7")
    rechain(store)
    assert {one["kind"] for one in findings(store, "--state")} == {"anchor"}


def test_a_personal_part_that_is_gone_leaves_its_fields_uncompared(store):
    store.sql("DELETE FROM audit_pii WHERE seq = 2")
    store.sql("UPDATE \"user\" SET full_name = 'x', kind = 'service' WHERE id = 1")
    found = findings(store, "--state")
    # what stood in the part cannot be known; what stands in the entry itself can, and so can what came later
    assert [(one["kind"], one["entry"], one["fields"]) for one in found] == [
        ("part-missing", 2, []),
        ("state", 4, ["kind"]),
        # the index of names still has the former one
        ("state", None, []),
    ]
    store.sql("UPDATE \"user\" SET username = 'x', kind = 'person' WHERE id = 1")
    assert ("state", "x", ["username"]) in named(findings(store, "--state"))


def test_an_entry_made_nonsense_of_does_not_stop_the_rest(store):
    store.sql('UPDATE audit_entry SET body = \'{"changes":{"kind":7,"status":[1]}}\' WHERE seq = 7')
    store.sql("UPDATE \"user\" SET occupation = 'x' WHERE id = 1")
    found = findings(store, "--state")
    assert ("hash", 7) in [(one["kind"], one["entry"]) for one in found]
    assert "alicia" in [one["name"] for one in found]


def test_a_name_given_up_and_taken_again_folds(run):
    run("user add alice")
    run("user rename alice bea")
    run("user rename bea alice")
    run("user rename alice ALICE")
    holds(run, "--state")


@pytest.mark.store("--simulate --region CN")
def test_names_given_up_in_the_same_moment_stand_in_one_order(run):
    run("user add a --now 2030-01-01")
    for old, new in itertools.pairwise("azbyc"):
        run(f"user rename {old} {new} --now 2030-01-01")
    assert run("user show c --json").json["former_names"] == ["a", "b", "y", "z"]
    holds(run, "--state")


def test_an_import_leaves_entries_that_give_its_users(run):
    records = (
        '{"username": "a", "email": "A@Example.com", "tags": ["y", "x"], "status": "closed", '
        '"created_at": "2019-01-01T00:00:00Z", "former_names": {"a2": "2022-01-01", "a1": "2020-01-01"}}\n'
        '{"username": "b", "phone": "13800138000"}\n'
    )
    run("import users -", stdin=records)
    holds(run, "--state")
    records = '{"username": "a", "email": "b@example.com", "former_names": {"a0": "2019-01-01"}, "occupation": "x"}\n'
    run("import users - --if-exists update", stdin=records)
    assert run("user show a --json").json["former_names"] == ["a0", "a1", "a2"]
    assert holds(run, "--state")["rows"] == 2


# -- any sequence of commands ------------------------------------------------------------------------------------------

NAMES = ["alice", "Bob", "张伟", "carl.x", "dora", "ÉMILE"]
FIELDS = {
    "--email": ["a@example.com", "B@Example.com", "b@example.com", "", "nonsense"],
    "--phone": ["13800138000", "+8613800138001", ""],
    "--display-name": ["A", "B", ""],
    "--full-name": ["张伟", ""],
    "--gender": ["female", "male", ""],
    "--birth-date": ["1990-05-17", ""],
    "--occupation": ["smith", "baker", ""],
    "--kind": ["person", "service"],
    "--valid-from": ["2020-01-01", ""],
    "--valid-until": ["2030-01-01", "2019-01-01", ""],
    "--email-verified-at": ["2021-01-01", ""],
    "--add-tag": ["vip", "old"],
    "--external-id": ["ldap/1", "ldap/2", "crm/1"],
    "--add-address": ["email:x@example.com", "phone:13800138009"],
}
EDITS = {"--remove-tag": ["vip"], "--set-tag": ["new", ""], "--remove-external-id": ["ldap"], "--set-address": [""]}

names = st.sampled_from(NAMES)


def some(options):
    pairs = st.one_of([st.tuples(st.just(name), st.sampled_from(values)) for name, values in options.items()])
    return st.lists(pairs, max_size=4).map(lambda chosen: [word for pair in chosen for word in pair])


commands = st.one_of(
    st.builds(lambda name, more: ["user", "add", name, *more], names, some(FIELDS)),
    st.builds(lambda name, more: ["user", "ensure", name, *more], names, some(FIELDS)),
    st.builds(lambda name, more: ["user", "set", name, *more], names, some(FIELDS | EDITS)),
    st.builds(lambda old, new: ["user", "rename", old, new], names, names),
    st.builds(
        lambda verb, chosen: ["user", verb, *chosen, "--yes"],
        st.sampled_from(["suspend", "activate", "close", "reopen", "remove"]),
        st.lists(names, min_size=1, max_size=3),
    ),
    st.builds(lambda name: ["user", "note", name, "--text", "x"], names),
    st.builds(
        lambda chosen: ["user", "tag", *chosen, "--add-tag", "seen", "--yes"], st.lists(names, min_size=1, max_size=3)
    ),
    st.builds(lambda name: ["user", "set", name, "--occupation", "x", "--dry-run"], names),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(commands, min_size=1, max_size=12))
def test_whatever_is_done_the_entries_give_the_rows(run, sequence):
    clock = itertools.count()
    for command in sequence:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(clock))
        code = run(command, exit=None, clock=Clock(moment)).exit
        assert code in (0, 2, 3, 5, 6, 7), (command, code)
    holds(run, "--state")
