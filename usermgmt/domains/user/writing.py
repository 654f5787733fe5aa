"""Writes users' rows, what hangs on them, and their entries; whether they may be written was decided before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from usermgmt.domains.user import bigrams, state
from usermgmt.domains.user.state import former_name, user
from usermgmt.kernel import bulk
from usermgmt.kernel.events import E

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from usermgmt.domains.user.state import State
    from usermgmt.kernel.context import Context

ROW = tuple(name for name in state.COLUMNS if name != "id")
HANGING = ("tags", "external_ids", "addresses", "attributes", "org")


class Former(NamedTuple):
    """A username that its user gave up at ``until``, as text."""

    norm: str
    username: str
    skeleton: str
    until: str


def create(ctx: Context, states: Sequence[State]) -> None:
    """Write new users, each with its entry; gives every state an ``id`` unless it has one."""
    for user_id, one in zip(bulk.next_ids(ctx.db, user, len(states)), states, strict=True):
        one["id"] = one["id"] or user_id
    bulk.insert(ctx.db, user, {name: [one[name] for one in states] for name in state.COLUMNS})
    searched = {name: [one[name] for one in states] for name in bigrams.COLUMNS}
    bigrams.insert(ctx.db, [one["id"] for one in states], searched, [one["attributes"] for one in states])
    for one in states:
        state.replace_lists(ctx.db, one["id"], one, [name for name in HANGING if one[name]])
        made = state.changes({}, one)
        ctx.audit(E.USER_ADD, f"user:{one['uid']}", changes=state.recorded(made, {}, one, ctx.now))


def change(
    ctx: Context, before: State, after: State, action: E, *, facts: Mapping[str, Any] | None = None
) -> dict[str, list[Any]]:
    """Write what differs between two states of one user, with its entry, and return it."""
    made = state.changes(before, after)
    columns = {name: after[name] for name in ROW if after[name] != before[name]}
    ctx.db.execute(sa.update(user).where(user.c.id == before["id"]).values(**columns))
    bigrams.change(ctx.db, before["id"], before, after)
    state.replace_lists(ctx.db, before["id"], after, made)
    ctx.audit(action, f"user:{before['uid']}", changes=state.recorded(made, before, after, ctx.now), facts=facts)
    return made


def remove(ctx: Context, before: State, gone: Mapping[str, Any]) -> None:
    """Delete a user's rows, with the entry that tells what is ``gone``."""
    bigrams.change(ctx.db, before["id"], before, {})
    ctx.db.execute(sa.delete(user).where(user.c.id == before["id"]))
    ctx.audit(E.USER_REMOVE, f"user:{before['uid']}", changes=gone)


def give_up_name(ctx: Context, before: State, after: State) -> None:
    """Reserve the name of ``before`` for its user, where ``after`` has another one, and tell ``after`` so."""
    if after["username_norm"] == before["username_norm"]:
        return
    mine = (former_name.c.username_norm == after["username_norm"], former_name.c.user_id == before["id"])
    ctx.db.execute(sa.delete(former_name).where(*mine))
    given_up = Former(before["username_norm"], before["username"], before["skeleton"], ctx.now)
    reserve(ctx, before["id"], [given_up])
    after["former_names"] = former_names(ctx, before["id"])


def reserve(ctx: Context, user_id: int, names: Iterable[Former]) -> None:
    """Keep names that the user ``user_id`` had."""
    for name in names:
        ctx.db.execute(sa.insert(former_name).values(user_id=user_id, username_norm=name.norm, **_shown(name)))


def _shown(name: Former) -> dict[str, str]:
    return {"username": name.username, "skeleton": name.skeleton, "until": name.until}


def former_names(ctx: Context, user_id: int) -> list[str]:
    """Return the names that the user ``user_id`` had, as states hold them."""
    query = sa.select(former_name.c.username).where(former_name.c.user_id == user_id)
    return list(ctx.db.execute(query.order_by(former_name.c.until, former_name.c.username_norm)).scalars())
