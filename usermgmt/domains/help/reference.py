"""The topics that are made from the program itself, in the language of the invocation."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

from usermgmt.domains.help.glossary import glossary
from usermgmt.kernel import layout, tree
from usermgmt.kernel.errors import WHEN, UsermgmtError
from usermgmt.kernel.i18n import _
from usermgmt.kernel.permissions import P

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from usermgmt.kernel.settings_values import Setting

__all__ = ["commands", "errors", "exit_codes", "glossary", "permissions", "settings"]

PACKAGE = Path(__file__).parents[2]
# a program of its own, migrations that run on import, and what needs an account's command line
_NO_MODULES = ("usermgmt.migrations.", "usermgmt.docs", "usermgmt.__main__")


def _page(title: str, words: str, rows: Iterable[tuple[str, str]], width: int) -> str:
    return "\n\n".join([f"# {title}", layout.paragraphs(words, width), layout.table(list(rows), width)])


def exit_codes(width: int) -> str:
    """Return the table of exit codes."""
    rows = ((f"{int(code):3}  {code.word}", _(when)) for code, when in WHEN.items())
    return _page(_("Exit codes"), _("An unknown code means failure."), rows, width)


def settings(width: int) -> str:
    """Return every setting."""
    from usermgmt.kernel.settings import TABLE
    from usermgmt.kernel.settings_attributes import FAMILY

    words = _("usermgmt config show --origin tells what holds and why; usermgmt config init writes a file to edit.")
    return _page(_("Settings"), words, ((row.key, _setting(row)) for row in (*TABLE, *FAMILY)), width)


def _setting(setting: Setting) -> str:
    from usermgmt.kernel.settings_values import EXPECTED, written

    facts = [", ".join(filter(None, setting.choices)) or _(EXPECTED[setting.kind])]
    if setting.minimum:
        facts.append(_("at least {value}").format(value=written(setting, setting.minimum)))
    if setting.maximum < 2**63 - 1:
        facts.append(_("at most {value}").format(value=written(setting, setting.maximum)))
    if setting.default not in ("", ()):
        facts.append(_("default: {value}").format(value=written(setting, setting.default)))
    facts.append(", ".join(setting.variables))
    return f"{_(setting.help)} [{'; '.join(filter(None, facts))}]"


def permissions(width: int) -> str:
    """Return every permission with the commands that need it."""
    needed: dict[P, list[str]] = {permission: [] for permission in P}
    for ctx in tree.leaves():
        name = tree.command_path(ctx).partition(" ")[2]
        if ctx.command.spec.may is not None:
            needed[ctx.command.spec.may].append(name)
        for flag, permission in ctx.command.spec.needs.items():
            needed[permission].append(f"{name} --{flag}")
        if ctx.command.spec.reveals:
            needed[P.DATA_REVEAL].append(f"{name} --reveal")
    words = _("The account that holds the store, and root, have them all.")
    return _page(_("Permissions"), words, ((str(one), ", ".join(names)) for one, names in needed.items()), width)


def errors(width: int) -> str:
    """Return every error: its code, exit code, message and hint; words in braces are filled in."""
    words = _(
        "With --json an error is one object on standard error, whose code, exit_code and keys of details never change."
    )
    rows = []
    for one in error_classes():
        message = _message(one)
        hint = f" {_('hint: {hint}').format(hint=_(one.hint))}" if one.hint else ""
        rows.append((one.code, f"{int(one.exit)}: {message}{hint}"))
    return _page(_("Errors"), words, rows, width)


def _message(kind: type[UsermgmtError]) -> str:
    words = (kind.__doc__ or "").strip()
    # some say only what the situation puts in: the exit code's own words are more than that
    return _(words) if re.search(r"[^\W\d]", re.sub(r"\{\w*\}", "", words)) else _(WHEN[kind.exit])


def error_classes() -> list[type[UsermgmtError]]:
    """Return the classes that have a code of their own, by code; imports the whole program to find them."""
    for module in pkgutil.walk_packages([str(PACKAGE)], "usermgmt."):
        if not module.name.startswith(_NO_MODULES):
            importlib.import_module(module.name)
    found = {
        one for one in _descendants(UsermgmtError) if "code" in vars(one) and one.__module__.startswith("usermgmt.")
    }
    return sorted(found, key=lambda one: (one.code, one.__name__))


def _descendants(kind: type[UsermgmtError]) -> Iterator[type[UsermgmtError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _descendants(one)


def commands(width: int) -> str:
    """Return the help of the program and of every command."""
    pages = [f"# {_('Commands')}"]
    for ctx in [tree.find(()), *tree.leaves()]:
        ctx.terminal_width = width - 4
        body = "\n".join(f"    {line}".rstrip() for line in ctx.command.get_help(ctx).splitlines())
        pages.append(f"## {tree.command_path(ctx)}\n\n{body}")
    return "\n\n".join(pages)
