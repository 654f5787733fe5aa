"""What a word after ``--target`` means: a user, present, renamed or removed, or a target as entries name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.domains.user import identifiers, lookup, queries
from usermgmt.domains.user.errors import UserNotFound
from usermgmt.domains.user.state import former_name, user
from usermgmt.kernel.audit.entries import parsed
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.events import E
from usermgmt.kernel.tables import audit_entry, audit_pii

if TYPE_CHECKING:
    from usermgmt.kernel.context import Context

PLAIN = ("store", "users")
"""Targets that are no rows: the store as a whole, and runs over many users. ``username:store`` means the user."""

_BY_PREFIX = ("username", "id", "uid", "email", "phone", "ext")


def resolve(ctx: Context, word: str) -> list[str]:
    """Return the targets that ``word`` means; a name that several removed users had means all of them.

    Raises ``UserNotFound``, ``AmbiguousUser``.
    """
    prefix, colon, _rest = word.partition(":")
    if word in PLAIN or (colon and prefix not in _BY_PREFIX):
        return [word]
    try:
        return [queries.target(ctx, lookup.find(ctx, word))]
    except UserNotFound:
        found = _gone(ctx, word)
        if not found:
            raise
        return found


def _gone(ctx: Context, word: str) -> list[str]:
    prefix, colon, rest = word.partition(":")
    if prefix == "uid" and colon:
        target = f"user:{rest.strip().lower()}"
        query = sa.select(audit_entry.c.seq).where(audit_entry.c.target == target).limit(1)
        return [target] if ctx.db.execute(query).first() else []
    try:
        norm = identifiers.username(rest if colon else word).norm
    except Invalid:
        return []
    return _renamed(ctx, norm) or _removed(ctx, norm)


def _renamed(ctx: Context, norm: str) -> list[str]:
    query = sa.select(user.c.uid).join(former_name, former_name.c.user_id == user.c.id)
    return [f"user:{uid}" for uid in ctx.db.execute(query.where(former_name.c.username_norm == norm)).scalars()]


def _removed(ctx: Context, norm: str) -> list[str]:
    query = (
        sa.select(audit_entry.c.target, audit_pii.c.body)
        .join(audit_pii, audit_pii.c.seq == audit_entry.c.seq)
        .where(audit_entry.c.action == E.USER_REMOVE.value, audit_entry.c.outcome == "ok")
        .order_by(audit_entry.c.seq)
    )
    rows = ctx.db.execute(query, execution_options={"stream_results": True, "yield_per": 1000})
    return [target for target, body in rows if _was(body) == norm]


def _was(body: str) -> str | None:
    changes = parsed(body).get("changes")
    pair = changes.get("username_norm") if isinstance(changes, dict) else None
    return pair[0] if isinstance(pair, list) and pair else None
