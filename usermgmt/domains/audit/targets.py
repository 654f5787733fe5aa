"""What a word after ``--target`` means: a user, present, renamed or removed, a unit, or a target as entries name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.domains.user import identifiers, units
from usermgmt.domains.user.errors import UnitNotFound, UserNotFound
from usermgmt.domains.user.targets import of_history
from usermgmt.kernel.audit.entries import known, parsed
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

    Raises ``UserNotFound``, ``AmbiguousUser``, ``UnitNotFound``.
    """
    prefix, colon, rest = word.partition(":")
    if prefix == "org" and colon:
        return [_unit(ctx, word, rest)]
    if word in PLAIN or (colon and prefix not in _BY_PREFIX):
        return [word]
    try:
        return [of_history(ctx, word)]
    except UserNotFound:
        found = _removed(ctx, rest if colon else word) if prefix == "username" or not colon else []
        if not found:
            raise
        return found


def _unit(ctx: Context, word: str, path: str) -> str:
    """Return the target of the unit at a path of today; a uid stays what it is, and finds a unit that was removed."""
    try:
        return f"org:{units.find(ctx, path).uid}"
    except UnitNotFound:
        if not known(ctx, word):
            raise
        return word


def _removed(ctx: Context, name: str) -> list[str]:
    try:
        norm = identifiers.username(name).norm
    except Invalid:
        return []
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
