"""The turns of one job in one tick: what is due, step by step, each step in a transaction with its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.domains.tick import slots
from usermgmt.kernel import registry
from usermgmt.kernel.jobs import Step, Turn
from usermgmt.kernel.schedule import EachTick
from usermgmt.kernel.transaction import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.registry import Job

MOST = 100
"""Slots of one job that one tick does; the next one goes on."""


class Turns:
    """Does what is due of one job; ``working`` says whether it is the job's own code that runs."""

    def __init__(self, ctx: Context, job: Job) -> None:
        self.working = False
        self._ctx = ctx
        self._job = job
        self._run: Any = registry.resolve(job.run)
        self._slotted = not isinstance(job.schedule, EachTick)
        self._done = 0

    def steps(self) -> Iterator[Step]:
        """Yield each step once it is saved; a rehearsal is one transaction, whose steps see those before them."""
        if self._ctx.dry_run:
            with writing(self._ctx):
                made = list(self._rehearsed())
            yield from made
            return
        while True:
            with writing(self._ctx):
                step = self._step()
            if step is None:
                return
            yield step

    def _rehearsed(self) -> Iterator[Step]:
        while (step := self._step()) is not None:
            self._ctx.log.close()
            yield step

    def _step(self) -> Step | None:
        ctx, job, db = self._ctx, self._job.name, self._ctx.db
        held = slots.in_hand(db, job)
        if held is not None and held.leased_by != ctx.change_id and not slots.expired(held, ctx.clock.text()):
            return None
        due = held.due if held is not None else self._next()
        if due is None:
            return None
        last = slots.last_done(db, job)
        self.working = True
        step: Step = self._run(ctx, Turn(job, due, last))
        self.working = False
        if step.more:
            slots.hold(db, job, due, ctx.change_id, ctx.clock.text())
            return step
        self._done += 1
        if self._slotted:
            slots.finish(db, job, due, ctx.now)
        else:
            slots.mark(db, job, last, ctx.now, held=held is not None)
        return step

    def _next(self) -> str | None:
        if self._slotted:
            return slots.next_due(self._ctx.db, self._job, self._ctx.now, self._ctx.zone) if self._done < MOST else None
        return None if self._done else self._ctx.now
