"""Which user a word on the command line means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import identifiers
from usermgmt.domains.user.errors import AmbiguousUser, Renamed, UserNotFound
from usermgmt.domains.user.state import external_id, former_name, user
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.selectors import starts_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from usermgmt.kernel.context import Context

_NEAR = 50


def find(ctx: Context, word: str) -> int:
    """Return the id of the user that ``word`` means: ``username:NAME``, ``id:42``, ``uid:...``, ``email:...``,
    ``phone:...``, ``ext:SYSTEM/ID``, or a plain value, looked up as a username, then as an address.

    Raises ``UserNotFound``, ``AmbiguousUser``.
    """
    kind, colon, rest = word.partition(":")
    reader = _BY_PREFIX.get(kind) if colon else None
    if reader is not None:
        found = reader(ctx, rest.strip())
        if found is None:
            raise UserNotFound(name=word)
        return found
    return _plain(ctx, word)


def _plain(ctx: Context, word: str) -> int:
    by_name = _by_username(ctx, word)
    by_address = None
    if "@" in word:
        by_address = _by_email(ctx, word)
    elif word.startswith("+"):
        by_address = _by_phone(ctx, word)
    if by_name is not None and by_address is not None and by_name != by_address:
        kind = "email" if "@" in word else "phone"
        raise AmbiguousUser(name=word, choices=f"username:{word}, {kind}:{word}")
    found = by_name if by_name is not None else by_address
    if found is None:
        raise _missing(ctx, word)
    return found


def _one(ctx: Context, condition: Any) -> int | None:
    found: int | None = ctx.db.execute(sa.select(user.c.id).where(condition)).scalar()
    return found


def _by_username(ctx: Context, name: str) -> int | None:
    norm = _norm(name)
    return None if norm is None else _one(ctx, user.c.username_norm == norm)


def _norm(name: str) -> str | None:
    try:
        return identifiers.username(name).norm
    except Invalid:
        return None


def _by_email(ctx: Context, text: str) -> int | None:
    try:
        norm = identifiers.email(text).norm
    except Invalid:
        return None
    ctx.gave(identifiers.email(text).display, norm)
    return _one(ctx, user.c.email_norm == norm)


def _by_phone(ctx: Context, text: str) -> int | None:
    try:
        number = identifiers.phone(text, ctx.store.meta.region or "")
    except Invalid:
        return None
    ctx.gave(number)
    return _one(ctx, user.c.phone == number)


def _by_id(ctx: Context, text: str) -> int | None:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        return None
    return _one(ctx, user.c.id == int(text))


def _by_uid(ctx: Context, text: str) -> int | None:
    return _one(ctx, user.c.uid == text.lower())


def _by_external_id(ctx: Context, text: str) -> int | None:
    system, _slash, value = text.partition("/")
    condition = sa.and_(external_id.c.system == system.lower(), external_id.c.external_id == value)
    found: int | None = ctx.db.execute(sa.select(external_id.c.user_id).where(condition)).scalar()
    return found


_BY_PREFIX: dict[str, Callable[[Context, str], int | None]] = {
    "username": _by_username,
    "id": _by_id,
    "uid": _by_uid,
    "email": _by_email,
    "phone": _by_phone,
    "ext": _by_external_id,
}


def _missing(ctx: Context, word: str) -> UserNotFound:
    norm = _norm(word)
    if norm is None:
        return UserNotFound(name=word)
    query = (
        sa.select(user.c.username)
        .join(former_name, former_name.c.user_id == user.c.id)
        .where(former_name.c.username_norm == norm)
    )
    if (now := ctx.db.execute(query).scalar()) is not None:
        return Renamed(name=word, now=now)
    query = sa.select(user.c.username).where(starts_with(user.c.username_norm, norm[:1])).limit(_NEAR)
    return UserNotFound.near(word, ctx.db.execute(query).scalars())


def own_account(ctx: Context) -> int | None:
    """Return the user through whose account the caller acts: the one with the external id ``os/UID``."""
    return _by_external_id(ctx, f"os/{ctx.actor.account}")
