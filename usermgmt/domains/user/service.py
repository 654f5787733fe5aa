"""The rules of users and every write to them: each leaves its entry in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import attributes, fields, lookup, rules, standing, state, units, writing
from usermgmt.domains.user.errors import HasHistory, HeadsUnits, OwnAccount
from usermgmt.domains.user.requests import Lists, Request
from usermgmt.domains.user.state import user
from usermgmt.domains.user.taken import Taken, Wanted
from usermgmt.domains.user.types import REQUESTED_BY_MAX, IfExists, Status
from usermgmt.kernel.errors import StaleVersion
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import _
from usermgmt.kernel.masking import given_attribute
from usermgmt.kernel.results import CREATED, REMOVED, UNCHANGED, UPDATED, Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from usermgmt.domains.user.state import State
    from usermgmt.kernel.context import Context


def region(ctx: Context) -> str | None:
    """Return the country of phone numbers written without one."""
    return ctx.store.meta.region


# -- create --------------------------------------------------------------------------------------------------------


def add(ctx: Context, username: str, request: Request, if_exists: IfExists = IfExists.FAIL) -> Change:
    """Create a user; what to do about one that is there already is said by ``if_exists``.

    Raises ``UserExists``, ``NameReserved``, ``ConfusableName``, ``Invalid``.
    """
    values = fields.Reader(ctx, region(ctx)).read_all({"username": username, **request.given})
    lists = request.lists.apply(rules.EMPTY_LISTS, region(ctx), ctx.settings.attributes)
    ctx.gave(*(value for value in values.values() if isinstance(value, str)), *lists["addresses"])
    _gave_attributes(ctx, lists["attributes"], {})
    row = ctx.db.execute(sa.select(user.c.id).where(user.c.username_norm == values["username_norm"])).scalar()
    if row is not None and if_exists != IfExists.FAIL:
        if if_exists == IfExists.SKIP:
            return _result(ctx, UNCHANGED, state.load(ctx.db, [row])[row])
        return _update(ctx, row, request, E.USER_SET)
    taken = _taken(ctx, values, lists)
    _check_name(ctx, taken, values, request, own=None)
    rules.check_unique(taken, values, lists["external_ids"], own=None)
    return _insert(ctx, values, lists)


def _gave_attributes(ctx: Context, after: dict[str, str], before: dict[str, str]) -> None:
    ctx.gave(*(given_attribute(name, value) for name, value in after.items() if value != before.get(name)))


def ensure(ctx: Context, username: str, request: Request) -> Change:
    """Make sure that the user is there with these fields; ``unchanged`` where that holds already."""
    return add(ctx, username, request, IfExists.UPDATE)


def _insert(ctx: Context, values: State, lists: State) -> Change:
    after = rules.new_state(values, lists, ctx.random.uuid7(ctx.clock.now()), ctx.now)
    rules.check_window(after)
    writing.create(ctx, [after])
    ctx.target = f"user:{after['uid']}"
    if ctx.dry_run:
        after |= {"id": None, "uid": None}
    return _result(ctx, CREATED, after)


# -- change --------------------------------------------------------------------------------------------------------


def update(ctx: Context, user_id: int, request: Request) -> Change:
    """Change fields and lists of a user; raises as ``add`` does, and ``StaleVersion``."""
    return _update(ctx, user_id, request, E.USER_SET)


def retag(ctx: Context, user_id: int, lists: Lists) -> Change:
    """Change the tags of a user."""
    return _update(ctx, user_id, Request({}, lists), E.USER_TAG)


def rename(ctx: Context, user_id: int, username: str, *, allow_confusable: bool) -> Change:
    """Give a user another username; the former one stays reserved and leads to the user."""
    return _update(ctx, user_id, Request({"username": username}, allow_confusable=allow_confusable), E.USER_RENAME)


def _update(ctx: Context, user_id: int, request: Request, action: E) -> Change:
    before = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{before['uid']}"
    rules.check_not_erased(before)
    given = {name: value for name, value in request.given.items() if name != "username" or action == E.USER_RENAME}
    values = fields.Reader(ctx, region(ctx)).read_all(given)
    lists = request.lists.apply(before, region(ctx), ctx.settings.attributes)
    after = {**before, **values, **lists}
    ctx.gave(*(value for value in values.values() if isinstance(value, str)))
    ctx.gave(*set(lists["addresses"]).difference(before["addresses"]))
    _gave_attributes(ctx, lists["attributes"], before["attributes"])
    rules.forget_verification(before, after, values)
    changed = {name: value for name, value in after.items() if value != before.get(name)}
    taken = _taken(ctx, changed, lists)
    if after["username"] != before["username"]:
        _check_name(ctx, taken, after, request, own=user_id)
        writing.give_up_name(ctx, before, after)
    rules.check_unique(taken, changed, lists["external_ids"], own=user_id)
    wish = fields.text(request.requested_by, "requested_by", limit=REQUESTED_BY_MAX)
    facts = {"requested_by": wish} if wish else None
    return store(ctx, before, after, action, facts=facts)


def store(ctx: Context, before: State, after: State, action: E, *, facts: Mapping[str, Any] | None = None) -> Change:
    """Write what changed between two states of one user, and its entry; ``unchanged`` where nothing did.

    Raises ``StaleVersion``, ``Invalid``.
    """
    _check_version(ctx, before)
    if not state.changes(before, after):
        return _result(ctx, UNCHANGED, before)
    rules.check_window(after)
    rules.settle(before, after, given=(), now=ctx.now)
    return _result(ctx, UPDATED, after, writing.change(ctx, before, after, action, facts=facts))


def note(ctx: Context, user_id: int, text: str) -> Change:
    """Write a note about a user; it is appended, never changed."""
    before = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{before['uid']}"
    _check_version(ctx, before)
    uid = ctx.random.uuid7(ctx.clock.now())
    after = {**before, "version": before["version"] + 1, "updated_at": ctx.now}
    kept = fields.note(text)
    ctx.db.execute(sa.insert(state.note).values(uid=uid, user_id=user_id, at=ctx.now, actor=ctx.actor.name, text=kept))
    ctx.db.execute(
        sa.update(user).where(user.c.id == user_id).values(version=after["version"], updated_at=after["updated_at"])
    )
    ctx.audit(E.USER_NOTE, ctx.target, changes={f"note:{uid}": [None, kept]})
    return _result(ctx, UPDATED, after, {"note": [None, kept]})


# -- standing as an account ----------------------------------------------------------------------------------------


def move(ctx: Context, user_id: int, action: E) -> Change:
    """Suspend, activate, close or reopen a user; ``unchanged`` where the user stands there already.

    Raises ``OwnAccount``, ``IllegalTransition``.
    """
    before = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{before['uid']}"
    _check_version(ctx, before)
    target = rules.MOVES[action][0]
    if before["status"] == target:
        return _result(ctx, UNCHANGED, before)
    if target in (Status.SUSPENDED, Status.CLOSED):
        _protect_caller(ctx, before)
    rules.check_move(before, action)
    after = {**before, "status": target.value, "status_reason": ctx.reason or None}
    return store(ctx, before, after, action)


def _protect_caller(ctx: Context, before: State) -> None:
    if lookup.own_account(ctx) == before["id"]:
        raise OwnAccount(name=before["username"])


def remove(ctx: Context, user_id: int) -> Change:
    """Remove a user who has no history that must be kept; raises ``OwnAccount``, ``HasHistory``, ``HeadsUnits``."""
    before = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{before['uid']}"
    _check_version(ctx, before)
    _protect_caller(ctx, before)
    if before["former_names"]:
        raise HasHistory(name=before["username"], what=_("former names, which stay reserved"))
    if headed := units.headed_by(ctx.db, user_id):
        raise HeadsUnits(name=before["username"], unit=headed)
    probe = {user_id: dict(before)}
    state.attach_notes(ctx.db, probe)
    gone = {name: [value, None] for name, value in state.folded(probe[user_id]).items()}
    writing.remove(ctx, before, gone)
    return _result(ctx, REMOVED, before)


# -- rules ---------------------------------------------------------------------------------------------------------


def _check_version(ctx: Context, before: State) -> None:
    if ctx.if_version is not None and ctx.if_version != before["version"]:
        raise StaleVersion(target=before["username"], actual=before["version"], expected=ctx.if_version)


def _taken(ctx: Context, values: State, lists: State) -> Taken:
    wanted = Wanted()
    wanted.add(values, lists["external_ids"].items())
    return Taken.of(ctx.db, wanted)


def _check_name(ctx: Context, taken: Taken, values: State, request: Request, own: int | None) -> None:
    rules.check_reserved(taken, values, own)
    rules.check_override(ctx, request.allow_confusable)
    for _likeness, error in () if request.allow_confusable else rules.lookalikes(taken, values, own):
        raise error


def _result(ctx: Context, outcome: str, after: State, changes: Mapping[str, Any] | None = None) -> Change:
    from usermgmt.domains.user.queries import shown

    hidden = ("username_norm", "skeleton", "email_norm", "updated_at", "version", "status_at")
    told = {name: pair for name, pair in (changes or {}).items() if name not in hidden}
    if "attributes" in told:
        told["attributes"] = [attributes.typed(ctx.settings.attributes, value or {}) for value in told["attributes"]]
    if "org" in told:
        told["org"] = [units.path(ctx.db, uid) for uid in told["org"]]
    values = shown(ctx, after)
    note = ""
    if outcome in (CREATED, UPDATED) and values["status"] == Status.ACTIVE and not values["active"]:
        note = _("not active: {cause}").format(cause=_(standing.CAUSES[values["cause"]]))
    return Change(outcome, "user", after["username"], values, told, note)
