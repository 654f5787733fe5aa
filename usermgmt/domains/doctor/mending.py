"""``doctor --fix``: mends what can be mended without a risk, and says of each thing what came of it.

First what lets other accounts in; then the checks run again, and only where store and audit hold is the rest mended:
what does not hold is evidence, which nothing here touches.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from usermgmt.domains.doctor.service import examine, verdict
from usermgmt.domains.doctor.types import Finding, Severity
from usermgmt.kernel import sqlite
from usermgmt.kernel.errors import Exit, UsermgmtError, said
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.recording import record_outside
from usermgmt.kernel.results import UNCHANGED, Batch, Change, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.domains.doctor.types import Fix
    from usermgmt.kernel.context import Context

NOUN = N_("check")
_UNFIT = (Exit.INTEGRITY, Exit.UNAVAILABLE)


class NotMended(UsermgmtError):
    """{check}: it could not be mended: {problem}"""

    code = "doctor.not_mended"


def mend(ctx: Context) -> Batch:
    """Mend what every check finds that can be mended, and return that with what is left; sets the exit code.

    Raises ``Denied``.
    """
    more, left = _round(ctx, examine(ctx), early=True)
    done = list(more)
    # what others could write to was not opened: what lies behind it is found only now
    while not ctx.dry_run and any(isinstance(one, Change) for one in more):
        more, left = _round(ctx, left, early=True)
        done += more
    if any(one.broken for one in left):
        ctx.warn(_("store or audit do not hold: what else was found is left as it is, since it may be evidence"))
    else:
        more, left = _round(ctx, left, early=False)
        done += more
    mended = [one for one in done if isinstance(one, Change)]
    if mended and not ctx.dry_run:
        _record(ctx, mended, left)
    if not done:
        ctx.note(_("there is nothing to mend"))
    ctx.exit = verdict(left)
    return Batch((*done, *(_change(one) for one in left if one.severity != Severity.OK)))


def _round(ctx: Context, found: list[Finding], *, early: bool) -> tuple[list[Change | Refusal], list[Finding]]:
    """Apply the fixes of ``found`` that are ``early``, or those that are not; return what was done and what is left."""
    due = [(one, one.fix) for one in found if one.fix is not None and one.fix.early == early]
    done = [_mended(ctx, one, fix) for one, fix in due]
    if ctx.dry_run or not done:
        return done, _without(found, done)
    return done, examine(ctx)


def _mended(ctx: Context, one: Finding, fix: Fix) -> Change | Refusal:
    try:
        with _faults(one.check):
            if not ctx.dry_run:
                fix.do()
    except UsermgmtError as error:
        return Refusal(one.check, error)
    return _change(one, fix)


@contextmanager
def _faults(check: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotMended(check=check, problem=said(error)) from None
    except (SQLAlchemyError, sqlite.driver().Error) as error:
        # the class and no more: an unforeseen error may quote what is stored
        raise NotMended(check=check, problem=type(error).__name__) from None


def _change(one: Finding, fix: Fix | None = None) -> Change:
    values = {"check": one.check, "severity": one.severity.value, "message": one.message, "next": one.next}
    if fix is None:
        return Change(UNCHANGED, NOUN, one.check, values, note=one.message)
    return Change(fix.outcome, NOUN, one.check, {**values, "next": ""}, note=f"{one.message}: {fix.words}")


def _without(found: list[Finding], done: list[Change | Refusal]) -> list[Finding]:
    mended = {(one.values["check"], one.values["message"]) for one in done if isinstance(one, Change)}
    return [one for one in found if (one.check, one.message) not in mended]


def _record(ctx: Context, mended: list[Change], left: list[Finding]) -> None:
    if verdict(left) in _UNFIT:
        ctx.warn(_("what was mended is not on the audit, which does not hold or cannot be opened"))
        return
    done = [{"check": one.values["check"], "outcome": one.outcome} for one in mended]
    record_outside(ctx, E.STORE_FIX, "store", mended=done)
