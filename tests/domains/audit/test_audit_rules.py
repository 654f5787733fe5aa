"""Who leaves an entry, and who does not: design 4.5, on both engines; a change without an entry is not saved."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import typer

from usermgmt.kernel import actor, tree
from usermgmt.kernel.clock import Clock
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.events import E
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Column, View

VIEW = View("thing", (Column("id", "Id"),))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds):
    return Clock(NOON + timedelta(seconds=seconds))


def log(run):
    return run("audit list --json").json


def left(run, line, **options):
    """The entries that a command left."""
    before = len(log(run))
    run(line, **options)
    return log(run)[before:]


def brief(entries):
    return [(e["action"], e["outcome"], e["error"]) for e in entries]


@pytest.fixture
def me(run):
    """A user through whose account these tests act, and who therefore cannot close it."""
    run(f"user add me --external-id os/{os.getuid()}")
    return "me"


# -- changes -----------------------------------------------------------------------------------------------------------


def test_a_change_leaves_one_entry(run):
    assert brief(left(run, "user add alice")) == [("user.add", "ok", None)]
    assert brief(left(run, "user set alice --occupation smith")) == [("user.set", "ok", None)]
    assert brief(left(run, "user remove alice --yes")) == [("user.remove", "ok", None)]


@pytest.mark.parametrize(
    "line",
    [
        "user ensure alice --occupation smith",
        "user set alice --occupation smith",
        "user add alice --if-exists skip",
        "user activate alice",
        "user tag alice --add-tag vip",
        "user suspend bob carl",
    ],
)
def test_what_changes_nothing_leaves_none(run, line):
    run("user add alice --occupation smith --add-tag vip")
    run("user add bob")
    run("user add carl")
    run("user suspend bob carl")
    assert left(run, line) == []


@pytest.mark.parametrize(
    "line",
    [
        "user list",
        "user show alice",
        "user exists alice",
        "user history alice",
        "audit list",
        "audit show 1",
        "audit tail",
        "audit verify --state",
    ],
)
def test_plain_reads_leave_none(run, line):
    run("user add alice")
    assert left(run, line) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("user add alice", 5),
        ("user add bob --email nonsense", 6),
        ("user add bob --email bob@example.com", 0),
        ("user set alice --occupation smith", 0),
        ("user close me --yes", 4),
        ("user suspend alice bob --yes", 7),
        ("audit checkpoint --out new.json", 0),
    ],
)
def test_rehearsals_leave_none(run, me, line, code):
    run("user add alice")
    assert left(run, f"{line} --dry-run", exit=code) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("user add", 2),
        ("user add alice --nonsense", 2),
        ("audit show x", 2),
        ("user show nobody", 3),
        ("user set nobody --occupation x", 3),
        ("audit show 99", 3),
        ("user close alice", 9),
    ],
)
def test_usage_errors_missing_things_and_missing_answers_leave_none(run, line, code):
    run("user add alice")
    assert left(run, line, exit=code) == []


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_conflict_and_an_invalid_value_of_a_writing_command_leave_failed(run):
    run("user add alice")
    assert brief(left(run, "user add alice", exit=5)) == [("user.add", "failed", "user.exists")]
    assert brief(left(run, "user set alice --birth-date 1700-01-01", exit=6)) == [("user.set", "failed", "user.field")]
    refused = left(run, "user set alice --occupation x --if-version 9", exit=5)
    assert brief(refused) == [("user.set", "failed", "stale_version")]
    assert refused[0]["target_name"] == "alice"


def test_an_invalid_value_of_a_read_leaves_none(run):
    assert left(run, "audit list --since yesterday", exit=6) == []


def test_a_denial_leaves_denied(run, me):
    refused = left(run, "user close me --yes --reason fun", exit=4)
    assert brief(refused) == [("user.close", "denied", "user.own_account")]
    assert refused[0]["target_name"] == "me"
    assert refused[0]["reason"] == "fun"
    assert run("user show me --json").json["status"] == "active"


def test_equal_denials_within_a_minute_are_one_entry_with_a_count(run, me):
    for second in (0, 1, 2, 59):
        run("user close me --yes", exit=4, clock=at(second))
    denied = run("audit list --outcome denied --json").json
    assert brief(denied) == [("user.close", "denied", "user.own_account")]
    # the minute is over: the next entry of any kind is preceded or followed by the count
    run("user add alice", clock=at(61))
    (_first, counted) = run("audit list --outcome denied --json").json
    assert counted["action"] == "access.denials"
    assert counted["target"] == denied[0]["target"]
    facts = {"action": "user.close", "actor": denied[0]["actor"], "count": 3, "since": denied[0]["at"]}
    assert counted["facts"] == facts
    run("audit verify --state")


def test_a_denial_after_the_minute_is_a_new_entry(run, me):
    for second in (0, 30, 60):
        run("user close me --yes", exit=4, clock=at(second))
    actions = [e["action"] for e in run("audit list --outcome denied --json").json]
    assert sorted(actions) == ["access.denials", "user.close", "user.close"]


def test_a_minute_without_a_second_denial_leaves_no_count(run, me):
    run("user close me --yes", exit=4, clock=at(0))
    run("user add alice", clock=at(100))
    assert brief(run("audit list --outcome denied --json").json) == [("user.close", "denied", "user.own_account")]


def test_other_denials_within_the_minute_have_their_own_entries(run, me):
    run("user close me --yes", exit=4, clock=at(0))
    run("user suspend me", exit=4, clock=at(1))
    assert [e["action"] for e in run("audit list --outcome denied --json").json] == ["user.close", "user.suspend"]


def test_a_clock_set_back_does_not_make_the_minute_last(run, me):
    run("user close me --yes", exit=4, clock=at(3600))
    run("user close me --yes", exit=4, clock=at(0))
    assert len(run("audit list --outcome denied --json").json) == 2


@pytest.fixture
def sudo(monkeypatch):
    """Calls that sudo bears out; the store stays the one of the test."""
    resolve = actor.resolve
    monkeypatch.setattr(actor, "resolve", lambda env: replace(resolve(env), via="sudo", claimed_uid=1000))
    monkeypatch.setattr("usermgmt.kernel.settings.narrowed", lambda env: env)


@pytest.mark.parametrize(
    "line",
    [
        "user list --store /tmp/other.db",
        "user list --config /etc/passwd",
        "audit verify --anchor /etc/shadow",
        "audit checkpoint --out /root/.ssh/authorized_keys",
        "user suspend --from-file /etc/passwd --yes",
    ],
)
def test_a_path_in_a_sudod_call_is_refused_and_on_record(run, sudo, line):
    refused = run(f"{line}", exit=4)
    assert refused.out == ""
    (entry,) = log(run)[1:]
    assert (entry["outcome"], entry["error"], entry["via"]["claimed_uid"]) == ("denied", "sudo.path", 1000)
    assert entry["action"] == ".".join(line.split()[:2])


def test_a_filter_in_a_sudod_call_sees_no_environment(run, sudo):
    assert "sudo" in run(["user", "list", "--jq", "$ENV"], exit=2).err
    assert "sudo" in run(["audit", "show", "1", "--jq", "env"], exit=2).err


@pytest.mark.store
def test_a_refused_path_where_no_store_is_is_refused_all_the_same(run, sudo):
    if run.engine == "sqlite":
        assert run("user list --store /tmp/other.db --json", exit=4).error["code"] == "sudo.path"


# -- audited reads -----------------------------------------------------------------------------------------------------


def test_reveals_are_recorded_before_anything_is_shown(run):
    run("user add alice --email alice@example.com")
    (entry,) = left(run, "user show alice --reveal --reason call")
    assert (entry["action"], entry["target_name"], entry["reason"]) == ("data.reveal", "alice", "call")


def test_an_export_of_the_audit_is_recorded(run):
    (entry,) = left(run, "audit export --reason yearly")
    assert (entry["action"], entry["target"], entry["reason"]) == ("audit.export", "store", "yearly")
    assert entry["facts"] == {"count": 1, "format": "ndjson"}


# -- bulk --------------------------------------------------------------------------------------------------------------


def test_a_bulk_run_has_one_entry_per_changed_user_and_one_for_the_run(run):
    for name in ("alice", "bob", "carl"):
        run(f"user add {name}")
    run("user suspend carl")
    entries = left(run, "user suspend alice bob carl nobody --reason strike --yes", exit=7)
    assert [(e["action"], e["target_name"] or e["target"]) for e in entries] == [
        ("user.suspend", "alice"),
        ("user.suspend", "bob"),
        ("user.bulk", "users"),
    ]
    assert entries[-1]["facts"]["counts"] == {"updated": 2, "unchanged": 1, "refused": 1}
    assert len({e["change_id"] for e in entries}) == 1
    assert {e["reason"] for e in entries} == {"strike"}


def test_a_denial_inside_a_bulk_run_is_on_the_log_too(run, me):
    run("user add alice")
    entries = left(run, "user suspend me alice", exit=7)
    assert brief(entries) == [
        ("user.suspend", "denied", "user.own_account"),
        ("user.suspend", "ok", None),
        ("user.bulk", "ok", None),
    ]
    assert brief(left(run, "user close me nobody --yes", exit=4)) == [("user.close", "denied", "user.own_account")]


def test_a_bulk_run_refused_whole_has_failed(run):
    run("user add alice")
    run("user add bob")
    run("user close alice bob --yes")
    (entry,) = left(run, "user suspend alice bob", exit=5)
    assert (entry["action"], entry["outcome"], entry["error"]) == ("user.suspend", "failed", "user.transition")
    assert entry["facts"]["counts"] == {"refused": 2}


# -- the net -----------------------------------------------------------------------------------------------------------

WRITES = {
    "insert": "INSERT INTO user_tag (user_id, tag) VALUES (1, 'x')",
    "insert, returning": "INSERT INTO user_tag (user_id, tag) VALUES (1, 'x') RETURNING tag",
    "lower case": "insert into user_tag (user_id, tag) values (1, 'x')",
    "odd blanks": "\n\tUPDATE\n\"user\" SET occupation = 'x'",
    "update": "UPDATE \"user\" SET occupation = 'x'",
    "delete": "DELETE FROM user_tag",
    "with": "WITH t AS (SELECT 'x' AS tag) INSERT INTO user_tag (user_id, tag) SELECT 1, tag FROM t",
    "the audit's own name": "UPDATE \"user\" SET occupation = 'audit_entry'",
    "what the store is": "UPDATE store_meta SET region = 'DE'",
}


@pytest.fixture
def tiny():
    """Lends the program a command `tiny`; its body is what the test puts into the list."""
    app = typer.Typer(rich_markup_mode=None)
    bodies = []

    @command(app, writes=True, shows=VIEW)
    def go(ctx: Context) -> None:
        """Do what the test wants."""
        bodies[-1](ctx)

    @command(app, may=P.USER_UPDATE, writes=True)
    def other(ctx: Context) -> None:
        """Be the second of two, so that they are a group."""
        bodies[-1](ctx)

    @command(app, chunks=True, shows=VIEW)
    def chunked(ctx: Context) -> None:
        """Do it in a transaction of its own."""
        from usermgmt.kernel.transaction import writing

        with writing(ctx):
            bodies[-1](ctx)

    root = tree.root()
    root.commands["tiny"] = tree.load("tiny", app)
    yield bodies
    del root.commands["tiny"]


@pytest.mark.parametrize("verb", ["go", "chunked"])
@pytest.mark.parametrize("write", WRITES)
def test_a_change_without_an_entry_fails_and_is_not_saved(run, tiny, write, verb):
    run("user add alice --add-tag vip")
    tiny.append(lambda ctx: ctx.db.exec_driver_sql(WRITES[write]))
    failed = run(f"tiny {verb} -o json", exit=1)
    assert failed.error["code"] == "audit.unrecorded"
    assert failed.out == ""
    assert run.sql("SELECT tag FROM user_tag") == [("vip",)]
    assert run.sql('SELECT occupation FROM "user"') == [(None,)]
    assert run.sql("SELECT region FROM store_meta") == [("CN",)]
    assert len(log(run)) == 2


@pytest.mark.engines("sqlite")
def test_a_change_below_sqlalchemy_is_noticed_too(run, tiny):
    run("user add alice --add-tag vip")
    tiny.append(lambda ctx: ctx.db.connection.driver_connection.execute("DELETE FROM user_tag"))
    assert "error" in run("tiny go", exit=1).err
    assert run.sql("SELECT tag FROM user_tag") == [("vip",)]


def test_a_command_that_writes_nothing_may_leave_none(run, tiny):
    run("user add alice")
    tiny.append(lambda ctx: ctx.db.exec_driver_sql("UPDATE \"user\" SET occupation = 'x' WHERE id = 99"))
    run("tiny go")
    tiny.append(lambda ctx: ctx.db.execute(sa.text("SELECT 1")).all())
    run("tiny go")
    assert len(log(run)) == 2


def test_the_change_and_its_entry_are_saved_together_or_not_at_all(run, tiny):
    run("user add alice")

    def half(ctx):
        ctx.db.exec_driver_sql("UPDATE \"user\" SET occupation = 'x'")
        ctx.audit(E.USER_SET, "store")
        raise RuntimeError

    tiny.append(half)
    assert run("tiny go", exit=1).out == ""
    assert run.sql('SELECT occupation FROM "user"') == [(None,)]
    assert len(log(run)) == 2


def test_a_denied_read_is_an_audited_read(run, tiny, monkeypatch):
    run("user add alice")
    monkeypatch.setattr("usermgmt.kernel.actor.Actor.may", lambda _self, wanted: wanted != P.USER_READ)
    refused = run("user show alice --json", exit=4)
    assert refused.error["code"] == "denied"
    assert refused.out == ""
    assert brief(log(run)[2:]) == [("user.show", "denied", "denied")]


def test_a_denied_reveal_shows_nothing(run, monkeypatch):
    run("user add alice --email alice@example.com")
    monkeypatch.setattr("usermgmt.kernel.actor.Actor.may", lambda _self, wanted: wanted != P.DATA_REVEAL)
    refused = run("user list --reveal", exit=4)
    assert refused.out == ""
    assert brief(log(run)[2:]) == [("user.list", "denied", "denied")]
