"""Usernames, ids and tags completed on TAB."""

from __future__ import annotations

from typer import Context

from usermgmt.kernel import complete

_BY_NAME = "username:"
_BY_ID = "id:"
_DIGITS = 18


def usernames(ctx: Context, incomplete: str) -> list[str]:
    """Complete users: by the beginning of the username, also as ``username:NAME``, or by that of the id as ``id:42``.

    Addresses are personal, and are not offered.
    """
    if incomplete.startswith(_BY_ID):
        return _ids(ctx, incomplete.removeprefix(_BY_ID))
    head = _BY_NAME if incomplete.startswith(_BY_NAME) else ""
    query = 'SELECT username FROM "user" WHERE username_norm >= ? AND username_norm < ? ORDER BY username_norm LIMIT ?'
    rows = complete.read(ctx, query, (*complete.text_range(_normal(incomplete.removeprefix(head))), complete.MOST))
    return [head + name for name in complete.safe(row[0] for row in rows)]


def _normal(typed: str) -> str:
    from usermgmt.domains.user import identifiers

    try:
        return identifiers.username(typed).norm if typed else ""
    except Exception:  # noqa: BLE001 - half a name may be no name yet; a TAB shows no error
        return typed


def _ids(ctx: Context, digits: str) -> list[tuple[str, str]] | list[str]:
    if digits and not (digits.isascii() and digits.isdecimal() and digits[0] != "0" and len(digits) <= _DIGITS):
        return []
    # 4 begins 4, 40 to 49, 400 to 499, ...: as many ranges of the key as there are digits left
    first = int(digits or 0)
    ranges = [(first * 10**n, (first + 1) * 10**n - 1) for n in range(_DIGITS - len(digits) + 1)] if digits else [(1, 2**62)]
    where = " OR ".join("id BETWEEN ? AND ?" for _range in ranges)
    query = f'SELECT id, username FROM "user" WHERE {where} ORDER BY id LIMIT ?'  # noqa: S608 - of our own words only
    rows = complete.read(ctx, query, (*(end for one in ranges for end in one), complete.MOST))
    return [(f"{_BY_ID}{row[0]}", row[1] if complete.safe([row[1]]) else "") for row in rows]


def tags(ctx: Context, incomplete: str) -> list[str]:
    """Complete tags by their beginning."""
    query = "SELECT DISTINCT tag FROM user_tag WHERE tag >= ? AND tag < ? ORDER BY tag LIMIT ?"
    return complete.safe(row[0] for row in complete.read(ctx, query, (*complete.text_range(incomplete), complete.MOST)))
