"""Usernames and tags completed on TAB."""

from __future__ import annotations

from typer import Context

from usermgmt.kernel import complete


def usernames(ctx: Context, incomplete: str) -> list[str]:
    """Complete usernames by their beginning."""
    from usermgmt.domains.user import identifiers

    try:
        prefix = identifiers.username(incomplete).norm if incomplete else ""
    except Exception:  # noqa: BLE001 - half a name may be no name yet; a TAB shows no error
        prefix = incomplete
    query = 'SELECT username FROM "user" WHERE username_norm >= ? AND username_norm < ? ORDER BY username_norm LIMIT ?'
    return complete.read(ctx, query, prefix)


def tags(ctx: Context, incomplete: str) -> list[str]:
    """Complete tags by their beginning."""
    query = "SELECT DISTINCT tag FROM user_tag WHERE tag >= ? AND tag < ? ORDER BY tag LIMIT ?"
    return complete.read(ctx, query, incomplete)
