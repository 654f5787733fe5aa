"""What `@command` does around a body: shown with commands made for the test."""

from __future__ import annotations

import io
from typing import Annotated

import orjson
import pytest
import sqlalchemy as sa
import typer

from usermgmt.kernel import bulk, results, tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.errors import Exit, UsermgmtError
from usermgmt.kernel.invocation import Invocation
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Column, View
from usermgmt.kernel.streams import Streams
from usermgmt.kernel.tables import store_meta

VIEW = View("thing", (Column("id", "Id"), Column("name", "Name"), Column("phone", "Phone", mask="phone")))


@pytest.fixture
def call(run):
    """Make a command of a function and run it: returns exit code, standard output, the error."""

    def go(function, *argv, stdin=b"", tty=False, **declared):
        app = typer.Typer(rich_markup_mode=None)
        command(app, "act", **declared)(function)
        streams = Streams(io.BytesIO(stdin), io.BytesIO(), io.BytesIO(), stdin_tty=tty, stderr_tty=tty)
        invocation = Invocation(run.env, run.home, streams)
        act = tree.load("thing", app).get_command(None, "act")
        error = None
        try:
            with act.make_context("usermgmt thing act", list(argv), obj=invocation) as context:
                act.invoke(context)
        except UsermgmtError as caught:
            error = caught
        return (error.exit if error else invocation.exit), streams.stdout.getvalue().decode(), error, streams

    return go


def change_region(ctx):
    ctx.db.execute(sa.update(store_meta).values(region="DE"))


def region(run):
    return run("store info --json").json["region"]


def test_a_pending_result_is_11_and_says_its_number(call):
    def act(ctx: Context) -> results.Pending:
        return results.Pending("REQ-7", "thing", "alpha", {"name": "alpha"})

    code, out, _error, _streams = call(act, "--json", writes=True, shows=VIEW)
    assert code == Exit.PENDING
    assert orjson.loads(out) == {"outcome": "pending", "request": "REQ-7", "name": "alpha"}
    code, out, _error, _streams = call(act, writes=True, shows=VIEW)
    assert "REQ-7" in out


def test_rows_changed_without_an_entry_are_rolled_back(call, run):
    def act(ctx: Context) -> None:
        change_region(ctx)

    code, _out, error, _streams = call(act, writes=True)
    assert (code, error.code) == (Exit.ERROR, "audit.unrecorded")
    assert region(run) == "CN"


def test_rows_written_in_bulk_without_an_entry_are_rolled_back(call, run):
    run("user add alice")

    def act(ctx: Context) -> None:
        bulk.insert_rows(ctx.db, sa.table("user_tag"), ("user_id", "tag"), [(1, "a"), (1, "b")])

    code, _out, error, _streams = call(act, writes=True)
    assert (code, error.code) == (Exit.ERROR, "audit.unrecorded")
    assert run("user show alice --json").json["tags"] == []


def test_a_reading_command_cannot_write(call, run):
    def act(ctx: Context) -> None:
        change_region(ctx)

    code, _out, error, _streams = call(act)
    assert (code, error.code) == (Exit.UNAVAILABLE, "store.unreadable")
    assert region(run) == "CN"


def test_any_exception_rolls_back(call, run):
    def act(ctx: Context) -> None:
        ctx.audit("user.set", "store", facts={"region": "DE"})
        change_region(ctx)
        raise RuntimeError("late")

    with pytest.raises(RuntimeError):
        call(act, writes=True)
    assert region(run) == "CN"
    assert "user.set" not in run("audit list --json --fields action").out


def confirmed(ctx: Context) -> results.Change:
    ctx.confirm(3, "Remove 3 things?")
    ctx.audit("user.set", "store")
    return results.Change("removed", "thing", "three")


@pytest.mark.parametrize(
    ("argv", "tty", "stdin", "code"),
    [
        ((), False, b"", Exit.NEEDS_CONFIRMATION),
        (("--yes",), False, b"", Exit.OK),
        (("--confirm-count", "3"), False, b"", Exit.OK),
        (("--confirm-count", "4"), False, b"", Exit.CONFLICT),
        ((), True, b"y\n", Exit.OK),
        ((), True, "是\n".encode(), Exit.OK),
        ((), True, b"n\n", Exit.NEEDS_CONFIRMATION),
        ((), True, b"", Exit.NEEDS_CONFIRMATION),
        (("--no-input",), True, b"y\n", Exit.NEEDS_CONFIRMATION),
        (("--dry-run",), False, b"", Exit.OK),
    ],
)
def test_confirmation(call, argv, tty, stdin, code):
    assert call(confirmed, *argv, tty=tty, stdin=stdin, writes=True, confirms=True, shows=VIEW)[0] == code


def test_more_than_ten_need_their_number_where_nobody_can_be_asked(call):
    def act(ctx: Context) -> None:
        ctx.confirm(11, "Remove 11 things?")

    assert call(act, "--yes", writes=True, confirms=True)[0] == Exit.NEEDS_CONFIRMATION
    assert call(act, "--confirm-count", "11", writes=True, confirms=True)[0] == Exit.OK
    assert call(act, "--yes", tty=True, writes=True, confirms=True)[0] == Exit.OK


def test_what_the_caller_gave_is_not_masked_back(call):
    def act(ctx: Context, phone: Annotated[str, typer.Option("--phone")] = "") -> results.Record:
        return results.Record({"id": 1, "name": "a", "phone": "+8613800138000"})

    assert "138****8000" in call(act, shows=VIEW)[1]
    assert "+8613800138000" in call(act, "--phone", "+8613800138000", shows=VIEW)[1]


def test_a_denied_command_leaves_its_entry(call, run):
    def act(ctx: Context) -> None:
        raise AssertionError("never reached")

    class Nobody:
        def may(self, permission):
            return False

    from usermgmt.kernel import actor

    original, actor.Actor.may = actor.Actor.may, Nobody.may
    try:
        code, _out, error, _streams = call(act, may=P.USER_READ)
    finally:
        actor.Actor.may = original
    assert (code, error.code) == (Exit.DENIED, "denied")
    last = run("audit list --json").json[-1]
    assert (last["outcome"], last["action"]) == ("denied", "thing.act")


def test_globals_after_the_verb_win(run):
    other = run.home / "nowhere.db"
    assert run(["--store", str(other), "user", "list"], exit=8).err
    run(["--store", str(other), "user", "list", "--store", run.url])
    run(["user", "list", "--store", str(other)], exit=8)


@pytest.mark.store("--simulate")
def test_now_needs_a_simulated_store(run):
    run("user add alice --now 2030-01-02")
    assert run("user show alice --json").json["created_at"] == "2030-01-02T00:00:00.000Z"


def test_now_is_a_usage_error_elsewhere_and_cannot_be_forged(run):
    assert run("user add alice --now 2030-01-02 --json", exit=2).error["code"] == "usage"
    run.sql("UPDATE store_meta SET simulated = ?", 1 if run.engine == "sqlite" else True)
    run("user add alice --now 2030-01-02", exit=2)
    run("version --now 2030-01-02", exit=2)
