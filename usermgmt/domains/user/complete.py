"""Usernames, ids, tags and attributes completed on TAB."""

from __future__ import annotations

from collections.abc import Sequence

from typer import Context

from usermgmt.kernel import complete

_BY_NAME = "username:"
_BY_ID = "id:"
_DIGITS = 18


def usernames(ctx: Context, incomplete: str) -> Sequence[str | tuple[str, str]]:
    """Complete users: by the beginning of the username, also as ``username:NAME``, or by that of the id as ``id:42``.

    Addresses are personal, and are not offered.
    """
    if incomplete.startswith(_BY_ID):
        return _ids(ctx, incomplete.removeprefix(_BY_ID))
    head = _BY_NAME if incomplete.startswith(_BY_NAME) else ""
    typed = incomplete.removeprefix(head)
    query = """
        SELECT username, username_norm FROM "user" WHERE username_norm >= ? AND username_norm < ?
        ORDER BY username_norm LIMIT ?
    """
    rows = complete.read(ctx, query, (*complete.text_range(_normal(typed)), complete.MOST))
    # the form that continues what was typed; both name the user
    names = (shown if shown.startswith(typed) else norm for shown, norm in rows)
    return [head + name for name in complete.safe(names)]


def _normal(typed: str) -> str:
    from usermgmt.domains.user import identifiers

    try:
        return identifiers.username(typed).norm if typed else ""
    except Exception:  # noqa: BLE001 - half a name may be no name yet; a TAB shows no error
        return typed


def _ids(ctx: Context, digits: str) -> list[tuple[str, str]]:
    if digits and not (digits.isascii() and digits.isdecimal() and digits[0] != "0" and len(digits) <= _DIGITS):
        return []
    # 4 begins 4, 40 to 49, 400 to 499, ...: one range of the key for each length
    lengths = range(_DIGITS - len(digits) + 1)
    ends = [(int(digits) * 10**n, (int(digits) + 1) * 10**n - 1) for n in lengths] if digits else [(1, 10**_DIGITS)]
    one = 'SELECT * FROM (SELECT id, username FROM "user" WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)'
    parameters = (value for low, high in ends for value in (low, high, complete.MOST))
    rows = complete.read(ctx, " UNION ALL ".join([one] * len(ends)), parameters)[: complete.MOST]
    return [(f"{_BY_ID}{row[0]}", row[1] if complete.safe([row[1]]) else "") for row in rows]


def tags(ctx: Context, incomplete: str) -> list[str]:
    """Complete tags by their beginning."""
    # one step of the index for each tag: DISTINCT would read every row of a tag that millions have
    query = """
        WITH RECURSIVE found(tag) AS (
            SELECT min(tag) FROM user_tag WHERE tag >= ? AND tag < ?
            UNION ALL
            SELECT (SELECT min(tag) FROM user_tag WHERE tag > found.tag AND tag < ?)
            FROM found WHERE found.tag IS NOT NULL
        )
        SELECT tag FROM found WHERE tag IS NOT NULL LIMIT ?
    """
    begin, end = complete.text_range(incomplete)
    return complete.safe(row[0] for row in complete.read(ctx, query, (begin, end, end, complete.MOST)))


def units(ctx: Context, incomplete: str) -> list[str]:
    """Complete units by the beginning of the path, one step at a time."""
    query = """
        SELECT path, path_norm FROM org_unit WHERE path_norm >= ? AND path_norm < ?
        AND length(path_norm) - length(replace(path_norm, '/', '')) = ? ORDER BY path_norm LIMIT ?
    """
    typed = _normal_path(incomplete)
    rows = complete.read(ctx, query, (*complete.text_range(typed), typed.count("/"), complete.MOST))
    # the form that continues what was typed; both name the unit
    return complete.safe(shown if shown.startswith(incomplete) else norm for shown, norm in rows)


def _normal_path(typed: str) -> str:
    from usermgmt.domains.user import units

    try:
        return "/".join(units.read_name(name).norm if name else "" for name in typed.split("/"))
    except Exception:  # noqa: BLE001 - half a path may be none yet; a TAB shows no error
        return typed


def attributes(ctx: Context, incomplete: str) -> list[str]:
    """Complete the names of attributes, and after ``NAME=`` the values of those that can be listed."""
    from usermgmt.kernel.invocation import load_settings

    try:
        declared = load_settings(ctx.obj, lenient=True).attributes
    except Exception:  # noqa: BLE001 - a TAB shows no error, whatever is wrong with the configuration
        return []
    name, equals, begun = incomplete.partition("=")
    if not equals:
        return [one for one in declared if one.startswith(name)]
    found = declared.get(name)
    values = () if found is None else ("true", "false") if found.type == "boolean" else found.choices
    return complete.safe(f"{name}={value}" for value in values if value.startswith(begun))
