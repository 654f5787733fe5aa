"""Which slot of a job is to be done next, and the rows that say so; all of it inside a writers' transaction.

A slot has at most one row, and is done where the row says so: a clock that was set back does not bring it again, and
one that ran ahead uses up no slots but those that it reached.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.tick.models import TickSlot
from usermgmt.kernel.clock import from_text, to_text
from usermgmt.kernel.schedule import EachTick

if TYPE_CHECKING:
    from datetime import tzinfo

    from sqlalchemy.engine import Connection, Row

    from usermgmt.kernel.registry import Job

slot = TickSlot.__table__  # type: ignore[attr-defined]

LEASE = timedelta(minutes=5)
"""How long a turn of several transactions may take for one of them; then another tick takes it up."""
KEPT = 1000
"""Slots of one job that are remembered, those done last."""
_NO_SLOT = "1970-01-01T00:00:00.000Z"
"""What stands as ``due`` in the mark of a job without slots: no turn that is in hand has it."""
_FRESH = timedelta(days=1)
"""How old the mark of a job without slots may grow before it is renewed: a tick with nothing to do writes nothing."""


def in_hand(db: Connection, job: str) -> Row[Any] | None:
    """Return the row of the slot that some tick has begun and not ended."""
    return db.execute(sa.select(slot).where(slot.c.job == job, slot.c.done_at.is_(None))).one_or_none()


def expired(row: Row[Any], now: str) -> bool:
    """Tell whether the tick that has the slot in hand is taken for dead.

    A lease that ends later than one can that is taken now was taken by a clock that ran ahead.
    """
    return not now < row.lease_until <= to_text(from_text(now) + LEASE)


def last_done(db: Connection, job: str) -> str | None:
    """Return when a turn of the job was ended last, as far as rows tell."""
    query = sa.select(slot.c.done_at).where(slot.c.job == job, slot.c.done_at.is_not(None))
    found: str | None = db.execute(query.order_by(slot.c.id.desc()).limit(1)).scalar()
    return found


def next_due(db: Connection, job: Job, now: str, zone: tzinfo) -> str | None:
    """Return the slot that is to be done now: the oldest missed one, or the last where one run makes up for all."""
    assert not isinstance(job.schedule, EachTick)
    latest = job.schedule.latest(from_text(now), zone)
    if latest is None:
        return None
    query = sa.select(sa.func.max(slot.c.due)).where(slot.c.job == job.name, slot.c.due <= to_text(latest))
    before: str | None = db.execute(query).scalar()
    if before == to_text(latest):
        return None
    if before is None or job.missed == "once":
        return to_text(latest)
    following = job.schedule.after(from_text(before), zone)
    # after a change of the time zone the next one may lie beyond the last
    return to_text(following if following is not None and following < latest else latest)


def hold(db: Connection, job: str, due: str, holder: str, now: str) -> None:
    """Take the slot in hand, or keep it there: until the lease is over no other tick does this job."""
    lease = {"leased_by": holder, "lease_until": to_text(from_text(now) + LEASE), "done_at": None}
    if not db.execute(sa.update(slot).where(_of(job, due)).values(lease)).rowcount:
        db.execute(sa.insert(slot).values(job=job, due=due, **lease))


def finish(db: Connection, job: str, due: str, now: str) -> None:
    """Say that the slot is done, and forget the oldest ones."""
    done = {"leased_by": None, "lease_until": None, "done_at": now}
    if not db.execute(sa.update(slot).where(_of(job, due)).values(done)).rowcount:
        db.execute(sa.insert(slot).values(job=job, due=due, **done))
    newest = sa.select(slot.c.id).where(slot.c.job == job).order_by(slot.c.id.desc()).offset(KEPT).limit(1)
    db.execute(sa.delete(slot).where(slot.c.job == job, slot.c.id <= newest.scalar_subquery()))


def mark(db: Connection, job: str, last: str | None, now: str, *, held: bool) -> None:
    """Remember for a job without slots that it was done now, where what is remembered is no longer near it."""
    if not held and last is not None and to_text(from_text(now) - _FRESH) <= last <= now:
        return
    db.execute(sa.delete(slot).where(slot.c.job == job))
    db.execute(sa.insert(slot).values(job=job, due=_NO_SLOT, done_at=now))


def _of(job: str, due: str) -> Any:
    return sa.and_(slot.c.job == job, slot.c.due == due)
