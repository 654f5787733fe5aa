"""When the jobs of ``tick`` are due next, for ``upcoming``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usermgmt.domains.tick import slots
from usermgmt.kernel import registry
from usermgmt.kernel.clock import from_text, to_text
from usermgmt.kernel.jobs import Due
from usermgmt.kernel.schedule import EachTick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.registry import Job


def jobs(ctx: Context, until: str) -> Iterator[Due]:
    """Yield for each job that has slots the next one before ``until``, or the one that should have been done."""
    found = (_next(ctx, job) for job in registry.jobs() if not isinstance(job.schedule, EachTick))
    yield from sorted(due for due in found if due is not None and due.at < until)


def _next(ctx: Context, job: Job) -> Due | None:
    assert not isinstance(job.schedule, EachTick)
    missed = slots.next_due(ctx.db, job, ctx.now, ctx.zone)
    if missed is not None:
        return Due(missed, "job", job.name, job.name, overdue=True)
    latest = job.schedule.latest(from_text(ctx.now), ctx.zone)
    following = None if latest is None else job.schedule.after(latest, ctx.zone)
    return None if following is None else Due(to_text(following), "job", job.name, job.name)
