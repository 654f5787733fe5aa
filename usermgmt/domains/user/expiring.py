"""The job ``user.expiring``: notice of accounts whose time will soon be over, and of those where it is over.

Whether an account counts is decided when it is read (``standing``); this job only tells.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from usermgmt.domains.user.models import UserNotice
from usermgmt.domains.user.state import user
from usermgmt.domains.user.types import Status
from usermgmt.kernel.clock import from_text, to_text
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.jobs import Step, done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.jobs import Turn
    from usermgmt.kernel.results import Change

notice = UserNotice.__table__  # type: ignore[attr-defined]

CHUNK = 1000
"""Notices of one transaction."""
_ENDED = (Status.CLOSED.value, Status.ERASED.value)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(microsecond=999_000, tzinfo=UTC)


class Band(NamedTuple):
    """Windows that end after ``low`` and not after ``high``: ``period`` seconds is the shortest notice due of them."""

    period: int
    written: str
    low: str
    high: str


def tell(ctx: Context, turn: Turn) -> Step:
    """Leave each notice that is due and was not given, as an entry of the audit and a line.

    Once per user, end of the window and period; where a shorter one is due, the longer ones need not be given any more.
    """
    found: list[tuple[Band, Any]] = []
    for band in bands(ctx, turn):
        query = _due(band).limit(CHUNK - len(found))
        found += [(band, row) for row in ctx.db.execute(query)]
        if len(found) == CHUNK:
            break
    if found:
        rows = [{"user_id": row.id, "valid_until": row.valid_until, "period": band.period} for band, row in found]
        ctx.db.execute(sa.insert(notice), rows)
    return Step(tuple(_given(ctx, turn, band, row) for band, row in found), more=len(found) == CHUNK)


def bands(ctx: Context, turn: Turn) -> Iterator[Band]:
    """Yield the windows to look through, those that are over first.

    Of these, the ones that ended since the last turn, and a little before: a clock that was set back, or an end that
    was moved into the past, is made up for, and years of old accounts are not looked through each time.
    """
    spans = ctx.settings.spans("user.expiry_notice")
    longest = max(spans.values(), default=timedelta(days=1))
    since = min(turn.since or ctx.store.meta.created_at, ctx.now)
    low, high = _moved(since, -longest), ctx.now
    yield Band(0, "", low, high)
    for written, span in spans.items():
        low, high = high, _moved(ctx.now, span)
        yield Band(int(span.total_seconds()), written, low, high)


def _moved(moment: str, span: timedelta) -> str:
    try:
        return to_text(from_text(moment) + span)
    except OverflowError:
        return to_text(_LAST if span > timedelta() else _FIRST)


def _due(band: Band) -> sa.Select[Any]:
    given = sa.exists().where(
        notice.c.user_id == user.c.id, notice.c.valid_until == user.c.valid_until, notice.c.period <= band.period
    )
    return (
        sa.select(user.c.id, user.c.uid, user.c.username, user.c.valid_until)
        .where(user.c.valid_until > band.low, user.c.valid_until <= band.high)
        .where(user.c.status.not_in(_ENDED), ~given)
        .order_by(user.c.valid_until, user.c.id)
    )


def _given(ctx: Context, turn: Turn, band: Band, row: Any) -> Change:
    target = f"user:{row.uid}"
    facts = {"valid_until": row.valid_until} | ({"notice": band.written} if band.written else {})
    action = E.USER_EXPIRING if band.period else E.USER_EXPIRED
    ctx.audit(action, target, facts=facts)
    note = _("the account ends at {at}") if band.period else _("the account ended at {at}")
    told, values = note.format(at=row.valid_until), {"target": target, "valid_until": row.valid_until}
    return done(ctx, turn, N_("notice"), row.username, told, action=action, **values)
