"""Values completed on TAB: read from the store below the models, since a TAB must not wait for them; never an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

_MOST = 50
_PATIENCE = 0.2  # seconds to wait for a lock


def choices(enum: type[StrEnum]) -> Callable[[str], list[str]]:
    """Return a completer of an enum's values."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in enum if value.startswith(incomplete)]

    return complete


def _safe(found: list[str]) -> list[str]:
    # a completion goes to the terminal and into the command line: nothing is offered that either would misread
    return [word for word in found if word.isprintable() and not set(word) & set(" \t'\"`$\\;&|<>()*?[]{}!#~")]


def read(ctx: Any, query: str, prefix: str) -> list[str]:
    """Return the words of ``query`` that begin with ``prefix``: its parameters are the ends of a range, and a limit."""
    try:
        path = _store_file(ctx)
        if path is None:
            return []
        from usermgmt.kernel import sqlite

        sqlite.check_file(path)
        connection = sqlite.driver().connect(f"file:{sqlite.quoted(path)}?mode=ro", uri=True, timeout=_PATIENCE)
        try:
            rows = connection.execute(query, (prefix, prefix + "\U0010ffff", _MOST)).fetchall()
        finally:
            connection.close()
    except Exception:  # noqa: BLE001 - a TAB shows no error, whatever is wrong with the store
        return []
    return _safe([row[0] for row in rows])


def _store_file(ctx: Any) -> Path | None:
    """Return the store's file, or None where it is a server: commands and options complete without it."""
    from usermgmt.kernel.invocation import Invocation, load_settings, store_location

    call = Invocation(os.environ, Path.cwd(), streams=ctx.obj.streams if ctx.obj else None)  # type: ignore[arg-type]
    call.globals = [one.params for one in (ctx.find_root(), ctx) if one.params]
    location = store_location(call.env, load_settings(call))
    return None if "://" in location else Path(location)
