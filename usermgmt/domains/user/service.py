"""The rules of users and every write to them: each leaves its entry in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import fields, lookup, standing, state
from usermgmt.domains.user.confusables import confusable
from usermgmt.domains.user.errors import (
    ConfusableName,
    HasHistory,
    IllegalTransition,
    NameReserved,
    OwnAccount,
    UserExists,
)
from usermgmt.domains.user.requests import Lists, Request
from usermgmt.domains.user.state import external_id, former_name, user
from usermgmt.domains.user.types import REQUESTED_BY_MAX, IfExists, Kind, Status
from usermgmt.kernel.errors import Invalid, StaleVersion
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import CREATED, REMOVED, UNCHANGED, UPDATED, Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from usermgmt.domains.user.state import State
    from usermgmt.kernel.context import Context


EMPTY: State = {"tags": [], "external_ids": {}, "addresses": [], "former_names": []}


def region(ctx: Context) -> str | None:
    """Return the country of phone numbers written without one."""
    return ctx.store.meta.region


# -- create --------------------------------------------------------------------------------------------------------


def add(ctx: Context, username: str, request: Request, if_exists: IfExists = IfExists.FAIL) -> Change:
    """Create a user; what to do about one that is there already is said by ``if_exists``.

    Raises ``UserExists``, ``NameReserved``, ``ConfusableName``, ``Invalid``.
    """
    values = fields.Reader(ctx, region(ctx)).read_all({"username": username, **request.given})
    lists = request.lists.apply(EMPTY, region(ctx))
    ctx.gave(*(value for value in values.values() if isinstance(value, str)), *lists["addresses"])
    row = ctx.db.execute(sa.select(user.c.id).where(user.c.username_norm == values["username_norm"])).scalar()
    if row is not None and if_exists != IfExists.FAIL:
        if if_exists == IfExists.SKIP:
            return _result(ctx, UNCHANGED, state.load(ctx.db, [row])[row])
        return _update(ctx, row, request, E.USER_SET)
    _check_name(ctx, values, request, own=None)
    _check_unique(ctx, values, lists, own=None)
    return _insert(ctx, values, lists)


def ensure(ctx: Context, username: str, request: Request) -> Change:
    """Make sure that the user is there with these fields; ``unchanged`` where that holds already."""
    return add(ctx, username, request, IfExists.UPDATE)


def _insert(ctx: Context, values: State, lists: State) -> Change:
    after: State = {
        **dict.fromkeys(state.COLUMNS),
        "uid": ctx.random.uuid7(ctx.clock.now()),
        "version": 1,
        "kind": Kind.PERSON.value,
        "status": Status.ACTIVE.value,
        "status_at": ctx.now,
        "created_at": ctx.now,
        **values,
        "updated_at": ctx.now,
    }
    _check_window(after)
    row = {name: value for name, value in after.items() if name != "id"}
    made = ctx.db.execute(sa.insert(user).values(**row).returning(user.c.id)).scalar_one()
    after |= {"former_names": [], **lists}
    state.replace_lists(ctx.db, made, after, [name for name in lists if lists[name]])
    diff = state.changes({}, after)
    ctx.target = f"user:{after['uid']}"
    ctx.audit(E.USER_ADD, ctx.target, changes=state.recorded(diff, {}, after, ctx.now))
    if not ctx.dry_run:
        after["id"] = made
    else:
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
    if before["status"] == Status.ERASED:
        raise IllegalTransition(name=before["username"], status=_(STATUS_WORDS["erased"]), wanted=_("changed"))
    given = {name: value for name, value in request.given.items() if name != "username" or action == E.USER_RENAME}
    values = fields.Reader(ctx, region(ctx)).read_all(given)
    lists = request.lists.apply(before, region(ctx))
    after = {**before, **values, **lists}
    ctx.gave(*(value for value in values.values() if isinstance(value, str)))
    ctx.gave(*set(lists["addresses"]).difference(before["addresses"]))
    _forget_verification(before, after, values)
    if after["username"] != before["username"]:
        _check_name(ctx, after, request, own=user_id)
        _keep_former_name(ctx, before, after)
    _check_unique(ctx, {k: v for k, v in after.items() if v != before.get(k)}, lists, own=user_id)
    wish = fields.text(request.requested_by, "requested_by", limit=REQUESTED_BY_MAX)
    facts = {"requested_by": wish} if wish else None
    return store(ctx, before, after, action, facts=facts)


def _forget_verification(before: State, after: State, values: State) -> None:
    # a new address was never verified, whatever the old one was
    for name in ("email", "phone"):
        norm = "email_norm" if name == "email" else name
        if after[norm] != before[norm] and f"{name}_verified_at" not in values:
            after[f"{name}_verified_at"] = None


def _keep_former_name(ctx: Context, before: State, after: State) -> None:
    if after["username_norm"] == before["username_norm"]:
        return
    ctx.db.execute(
        sa.delete(former_name).where(
            former_name.c.username_norm == after["username_norm"], former_name.c.user_id == before["id"]
        )
    )
    ctx.db.execute(
        sa.insert(former_name).values(
            username_norm=before["username_norm"],
            user_id=before["id"],
            username=before["username"],
            skeleton=before["skeleton"],
            until=ctx.now,
        )
    )
    probe = {before["id"]: dict(before)}
    state.attach(ctx.db, probe)
    after["former_names"] = probe[before["id"]]["former_names"]


def store(
    ctx: Context, before: State, after: State, action: E, *, facts: Mapping[str, Any] | None = None
) -> Change:
    """Write what changed between two states of one user, and its entry; ``unchanged`` where nothing did.

    Raises ``StaleVersion``, ``Invalid``.
    """
    _check_version(ctx, before)
    diff = state.changes(before, after)
    if not diff:
        return _result(ctx, UNCHANGED, before)
    _check_window(after)
    after |= {"version": before["version"] + 1, "updated_at": ctx.now}
    if "status" in diff:
        after["status_at"] = ctx.now
    columns = {name: after[name] for name in state.COLUMNS if after[name] != before[name]}
    ctx.db.execute(sa.update(user).where(user.c.id == before["id"]).values(**columns))
    state.replace_lists(ctx.db, before["id"], after, diff)
    ctx.audit(action, f"user:{before['uid']}", changes=state.recorded(diff, before, after, ctx.now), facts=facts)
    return _result(ctx, UPDATED, after, diff)


def note(ctx: Context, user_id: int, text: str) -> Change:
    """Write a note about a user; it is appended, never changed."""
    before = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{before['uid']}"
    _check_version(ctx, before)
    uid = ctx.random.uuid7(ctx.clock.now())
    after = {**before, "version": before["version"] + 1, "updated_at": ctx.now}
    kept = fields.note(text)
    ctx.db.execute(
        sa.insert(state.note).values(uid=uid, user_id=user_id, at=ctx.now, actor=ctx.actor.name, text=kept)
    )
    ctx.db.execute(
        sa.update(user).where(user.c.id == user_id).values(version=after["version"], updated_at=after["updated_at"])
    )
    ctx.audit(E.USER_NOTE, ctx.target, changes={f"note:{uid}": [None, kept]})
    return _result(ctx, UPDATED, after, {"note": [None, kept]})


# -- standing as an account ----------------------------------------------------------------------------------------

STATUS_WORDS = {
    "pending": N_("pending"),
    "active": N_("active"),
    "suspended": N_("suspended"),
    "closed": N_("closed"),
    "erased": N_("erased"),
}

_MOVES: dict[E, tuple[Status, tuple[Status, ...]]] = {
    E.USER_SUSPEND: (Status.SUSPENDED, (Status.PENDING, Status.ACTIVE)),
    E.USER_ACTIVATE: (Status.ACTIVE, (Status.PENDING, Status.SUSPENDED)),
    E.USER_CLOSE: (Status.CLOSED, (Status.PENDING, Status.ACTIVE, Status.SUSPENDED)),
    E.USER_REOPEN: (Status.ACTIVE, (Status.CLOSED,)),
}
"""Action -> the status it leads to, and the statuses it may start from."""


_MOVED = {
    E.USER_SUSPEND: N_("suspended"),
    E.USER_ACTIVATE: N_("activated"),
    E.USER_CLOSE: N_("closed"),
    E.USER_REOPEN: N_("reopened"),
}
_WAYS: dict[str, str] = {
    Status.CLOSED: N_("usermgmt user reopen {name}"),
    Status.PENDING: N_("usermgmt user activate {name}"),
    Status.SUSPENDED: N_("usermgmt user activate {name}"),
}


def move(ctx: Context, user_id: int, action: E) -> Change:
    """Suspend, activate, close or reopen a user; ``unchanged`` where the user stands there already.

    Raises ``OwnAccount``, ``IllegalTransition``.
    """
    before = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{before['uid']}"
    _check_version(ctx, before)
    target, sources = _MOVES[action]
    if before["status"] == target:
        return _result(ctx, UNCHANGED, before)
    if target in (Status.SUSPENDED, Status.CLOSED):
        _protect_caller(ctx, before)
    if before["status"] not in sources:
        status = _(STATUS_WORDS[before["status"]])
        raise IllegalTransition(
            _WAYS.get(before["status"]), name=before["username"], status=status, wanted=_(_MOVED[action])
        )
    after = {**before, "status": target.value, "status_reason": ctx.reason or None}
    return store(ctx, before, after, action)


def _protect_caller(ctx: Context, before: State) -> None:
    if lookup.own_account(ctx) == before["id"]:
        raise OwnAccount(name=before["username"])


def remove(ctx: Context, user_id: int) -> Change:
    """Remove a user who has no history that must be kept; raises ``OwnAccount``, ``HasHistory``."""
    before = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{before['uid']}"
    _check_version(ctx, before)
    _protect_caller(ctx, before)
    if before["former_names"]:
        raise HasHistory(name=before["username"], what=_("former names, which stay reserved"))
    probe = {user_id: dict(before)}
    state.attach_notes(ctx.db, probe)
    gone = {name: [value, None] for name, value in state.folded(probe[user_id]).items()}
    ctx.db.execute(sa.delete(user).where(user.c.id == user_id))
    ctx.audit(E.USER_REMOVE, ctx.target, changes=gone)
    return _result(ctx, REMOVED, before)


# -- rules ---------------------------------------------------------------------------------------------------------


def _check_version(ctx: Context, before: State) -> None:
    if ctx.if_version is not None and ctx.if_version != before["version"]:
        raise StaleVersion(target=before["username"], actual=before["version"], expected=ctx.if_version)


def _check_window(after: State) -> None:
    start, end = after["valid_from"], after["valid_until"]
    if start is not None and end is not None and start >= end:
        raise fields.InvalidField(field="valid_until", problem=_("it does not lie after valid_from"))


_TAKE_IT = N_("usermgmt user show {ref}; --if-exists skip or update takes it as it is")


def _check_unique(ctx: Context, values: State, lists: State, own: int | None) -> None:
    for name, label in (("username_norm", "username"), ("email_norm", "email"), ("phone", "phone")):
        if values.get(name) is None:
            continue
        row = ctx.db.execute(sa.select(user.c.id).where(user.c[name] == values[name])).scalar()
        if row is not None and row != own:
            hint = _TAKE_IT if label == "username" and own is None else None
            raise UserExists(hint, field=label, value=values[label], ref=f"{label}:{values[label]}")
    for system, value in lists["external_ids"].items():
        condition = sa.and_(external_id.c.system == system, external_id.c.external_id == value)
        row = ctx.db.execute(sa.select(external_id.c.user_id).where(condition)).scalar()
        if row is not None and row != own:
            raise UserExists(field="external id", value=f"{system}/{value}", ref=f"ext:{system}/{value}")


def _check_name(ctx: Context, values: State, request: Request, own: int | None) -> None:
    taken = sa.select(former_name.c.user_id).where(former_name.c.username_norm == values["username_norm"])
    holder = ctx.db.execute(taken).scalar()
    if holder is not None and holder != own:
        now = ctx.db.execute(sa.select(user.c.username).where(user.c.id == holder)).scalar()
        raise NameReserved(name=values["username"], now=now)
    if request.allow_confusable:
        if not ctx.reason:
            raise Invalid(field="--allow-confusable", problem=_("it needs --reason"), hint="")
        return
    alike = sa.union_all(
        sa.select(user.c.id, user.c.username, user.c.username_norm).where(user.c.skeleton == values["skeleton"]),
        sa.select(former_name.c.user_id, former_name.c.username, former_name.c.username_norm).where(
            former_name.c.skeleton == values["skeleton"]
        ),
    )
    for user_id, name, norm in ctx.db.execute(alike):
        if user_id != own and norm != values["username_norm"] and confusable(values["username_norm"], norm):
            raise ConfusableName(field="username", name=values["username"], other=name)


def _result(ctx: Context, outcome: str, after: State, changes: Mapping[str, Any] | None = None) -> Change:
    from usermgmt.domains.user.queries import shown

    hidden = ("username_norm", "skeleton", "email_norm", "updated_at", "version", "status_at")
    told = {name: pair for name, pair in (changes or {}).items() if name not in hidden}
    values = shown(ctx, after)
    note = ""
    if outcome in (CREATED, UPDATED) and values["status"] == Status.ACTIVE and not values["active"]:
        note = _("not active: {cause}").format(cause=_(standing.CAUSES[values["cause"]]))
    return Change(outcome, "user", after["username"], values, told, note)
