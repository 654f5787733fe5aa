"""Runs the checks in turn; one that cannot be made is a finding itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from usermgmt.domains.doctor import inside, server, surroundings
from usermgmt.domains.doctor.types import Finding, Severity, advice
from usermgmt.kernel import sqlite
from usermgmt.kernel.errors import Exit, UsermgmtError
from usermgmt.kernel.i18n import _
from usermgmt.kernel.invocation import data_home, store_place
from usermgmt.kernel.store import Store
from usermgmt.migrations import HEAD, KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from usermgmt.kernel.context import Context


def examine(ctx: Context) -> list[Finding]:
    """Return what every check finds that can be made; raises nothing of what it finds."""
    found = [*_guarded("configuration", partial(surroundings.configuration, ctx)), surroundings.engine()]
    at = store_place(ctx.env, ctx.settings, ctx.cwd)
    if at.path is not None and at.path.parent.is_dir():
        for name, check in surroundings.OF_A_FILE.items():
            found += _guarded(name, partial(check, at.path))
    opened: list[Store] = []
    found += _guarded("store", partial(_opening, ctx, opened))
    if not opened:
        return found
    store = opened[0]
    checks = {**inside.CHECKS, **(server.CHECKS if store.dialect == "postgresql" else {})}
    for name, within in checks.items():
        found += _guarded(name, partial(within, ctx, store))
    return found


def verdict(found: list[Finding]) -> Exit:
    """Return the exit code for what was found."""
    if any(one.broken for one in found):
        return Exit.INTEGRITY
    if any(one.severity == Severity.ERROR for one in found):
        return Exit.UNAVAILABLE
    return Exit.ATTENTION if any(one.severity == Severity.WARNING for one in found) else Exit.OK


def _opening(ctx: Context, opened: list[Store]) -> Iterator[Finding]:
    at = store_place(ctx.env, ctx.settings, ctx.cwd)
    store = Store(at, ctx.settings, data_home(ctx.env), accept=KNOWN, anchored=False)
    schema = store.meta.schema
    opened.append(store)
    yield Finding("store", Severity.OK, _("{path}, store {id}").format(path=at.label, id=store.meta.store_id))
    if schema == HEAD:
        yield Finding("schema", Severity.OK, _("{schema}, as this program needs it").format(schema=schema))
    else:
        yield Finding(
            "schema",
            Severity.WARNING,
            _("{schema}; this program needs {needed}").format(schema=schema, needed=HEAD),
            "usermgmt store migrate",
        )


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check())
    except UsermgmtError as error:
        found.append(Finding(name, Severity.ERROR, error.message, advice(error), broken=error.exit == Exit.INTEGRITY))
    except (OSError, SQLAlchemyError, sqlite.driver().Error) as error:
        # the class and no more: an unforeseen error may quote what is stored
        told = _("the check could not be made: {problem}").format(problem=type(error).__name__)
        found.append(Finding(name, Severity.ERROR, told))
    return found
