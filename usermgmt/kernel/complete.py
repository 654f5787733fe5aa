"""Values completed on TAB: read from the store below the models, since a TAB must not wait for them; never an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer import Context

from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from enum import StrEnum

    from usermgmt.kernel.settings import Settings

MOST = 50
_PATIENCE = 0.2  # seconds to wait for a lock
_MISREAD = frozenset(" \t'\"`$\\;&|<>()*?[]{}!#~")


def choices(enum: type[StrEnum]) -> Callable[[str], list[str]]:
    """Return a completer of an enum's values."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in enum if value.startswith(incomplete)]

    return complete


def fields(ctx: Context, incomplete: str) -> list[tuple[str, str]]:
    """Complete the fields of the command's view, each once, joined by commas."""
    from usermgmt.kernel.tree import Command

    command = ctx.command
    view = command.spec.shows if isinstance(command, Command) else None
    before, comma, _rest = incomplete.rpartition(",")
    columns = view.columns if view is not None else ()
    return [(before + comma + one.name, _(one.label)) for one in columns if one.name not in before.split(",")]


def keys(incomplete: str) -> list[tuple[str, str]]:
    """Complete the keys of settings."""
    from usermgmt.kernel.settings import TABLE
    from usermgmt.kernel.settings_attributes import properties

    known = (*TABLE, *properties(incomplete))
    return [(setting.key, _(setting.help)) for setting in known if setting.key.startswith(incomplete)]


def key_values(ctx: Context, incomplete: str) -> list[str]:
    """Complete the values of the setting whose key stands before."""
    from usermgmt.kernel.settings import known

    setting = known(ctx.args[0]) if ctx.args else None
    if setting is None:
        return []
    values = ("true", "false") if setting.kind == "bool" else setting.choices
    return [value for value in values if value and value.startswith(incomplete)]


def text_range(prefix: str) -> tuple[str, str]:
    """Return the ends of the range of texts that begin with ``prefix``, which an index answers."""
    return prefix, prefix + "\U0010ffff"


def read(ctx: Context, query: str, parameters: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of ``query`` from the store of the line that is being typed; none where anything is wrong."""
    from usermgmt.kernel import sqlite, storekeys
    from usermgmt.kernel.invocation import load_settings

    try:
        settings = load_settings(ctx.obj, lenient=True)
        path = _store_file(ctx, settings)
        if path is None:
            return []
        key = None
        if (store_id := sqlite.check_file(path)) is not None:
            # nobody is asked for a passphrase here, so a key that is under one is as good as none
            folder = storekeys.root(settings, path.parent) / store_id
            key, _file = storekeys.find(path, store_id, settings, folder)
        connection = sqlite.driver().connect(f"file:{sqlite.quoted(path)}?mode=ro", uri=True, timeout=_PATIENCE)
        try:
            if key is not None:
                key.unlock(connection)
            rows: list[tuple[Any, ...]] = connection.execute(query, tuple(parameters)).fetchall()
        finally:
            connection.close()
    except Exception:  # noqa: BLE001 - a TAB shows no error, whatever is wrong with the store
        return []
    return rows


def safe(words: Iterable[str]) -> list[str]:
    """Keep the words that neither the terminal nor the shell would read otherwise than they stand."""
    return [word for word in words if word.isprintable() and not _MISREAD & set(word)]


def _store_file(ctx: Context, settings: Settings) -> Path | None:
    """Return the store's file, or None where it is a server: commands and options complete without it."""
    from usermgmt.kernel.invocation import store_location

    call = ctx.obj
    location = store_location(call.env, settings)
    if "://" in location:
        return None
    # the shell would expand it when the command runs
    path = Path(location).expanduser()
    return path if path.is_absolute() else call.cwd / path
