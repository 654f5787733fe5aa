"""Which user a word on the command line means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import identifiers
from usermgmt.domains.user.errors import AmbiguousUser, Renamed, UserNotFound
from usermgmt.domains.user.state import external_id, former_name, user
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.text import unstorable

if TYPE_CHECKING:
    from collections.abc import Callable

    from usermgmt.kernel.context import Context

_NEIGHBOURS = 25
_LONGEST_TYPO = 32
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789._-"


def find(ctx: Context, word: str, *, near: bool = True) -> int:
    """Return the id of the user that ``word`` means: ``username:NAME``, ``id:42``, ``uid:...``, ``email:...``,
    ``phone:...``, ``ext:SYSTEM/ID``, or a plain value, looked up as a username, then as an address.

    ``near`` looks for the nearest name where there is none. Raises ``UserNotFound``, ``Renamed``, ``AmbiguousUser``.
    """
    if unstorable(word) or not word:
        raise UserNotFound(name=word or '""')
    kind, colon, rest = word.partition(":")
    reader = _BY_PREFIX.get(kind) if colon else None
    if reader is None:
        return _plain(ctx, word, near=near)
    found = reader(ctx, rest.strip())
    if found is None:
        raise _missing(ctx, word, rest.strip(), near=near) if reader is _by_username else UserNotFound(name=word)
    return found


def _plain(ctx: Context, word: str, *, near: bool) -> int:
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
        raise _missing(ctx, word, word, near=near)
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
        found = identifiers.email(text)
    except Invalid:
        return None
    ctx.gave(*found)
    return _one(ctx, user.c.email_norm == found.norm)


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


def _missing(ctx: Context, word: str, name: str, *, near: bool) -> UserNotFound:
    """Return the error for ``word``, in which ``name`` stands as a username, and what may have been meant."""
    norm = _norm(name)
    if norm is None:
        if ":" not in word:
            return UserNotFound(name=word)
        kinds = ", ".join(f"{kind}:" for kind in _BY_PREFIX)
        return UserNotFound(name=word, kinds=kinds, hint=N_("what stands before a colon is one of {kinds}"))
    query = (
        sa.select(user.c.id, user.c.username)
        .join(former_name, former_name.c.user_id == user.c.id)
        .where(former_name.c.username_norm == norm)
    )
    if (now := ctx.db.execute(query).one_or_none()) is not None:
        renamed = Renamed(name=word, now=now.username)
        renamed.user_id = now.id
        return renamed
    meant = _meant(ctx, norm) if near else ""
    return UserNotFound.meant(word, meant) if meant else UserNotFound(name=word)


def _meant(ctx: Context, norm: str) -> str:
    """Return a word that names a user and resembles ``norm``, or an empty one."""
    from difflib import get_close_matches

    for kind, reader in (("id", _by_id), ("phone", _by_phone)):
        if norm.isdecimal() and reader(ctx, norm) is not None:
            return f"{kind}:{norm}"
    names = _resembling(ctx, norm)
    close = get_close_matches(norm, names, 1)
    return names[close[0]] if close else ""


def _resembling(ctx: Context, norm: str) -> dict[str, str]:
    """Return names one slip of the keyboard away, and those that sort beside ``norm``: all found by the index."""
    columns = sa.select(user.c.username_norm, user.c.username)
    name = user.c.username_norm
    queries = [
        columns.where(name > norm).order_by(name).limit(_NEIGHBOURS),
        columns.where(name < norm).order_by(name.desc()).limit(_NEIGHBOURS),
    ]
    if len(norm) <= _LONGEST_TYPO:
        queries.append(columns.where(name.in_(_slips(norm))).limit(_NEIGHBOURS))
    return {row.username_norm: row.username for query in queries for row in ctx.db.execute(query)}


def _slips(word: str) -> set[str]:
    """Return the words that one letter left out, put in, changed or swapped makes of ``word``."""
    parts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    left_out = {a + b[1:] for a, b in parts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in parts if len(b) > 1}
    changed = {a + letter + b[1:] for a, b in parts if b for letter in _LETTERS}
    put_in = {a + letter + b for a, b in parts for letter in _LETTERS}
    return left_out | swapped | changed | put_in


def own_account(ctx: Context) -> int | None:
    """Return the user through whose account the caller acts: the one with the external id ``os/UID``."""
    return _by_external_id(ctx, f"os/{ctx.actor.account}")
