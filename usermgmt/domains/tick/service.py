"""One tick: every job that is due, one after the other; one that fails does not keep the others from being done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from usermgmt.domains.tick.errors import JobNotFound
from usermgmt.domains.tick.turns import Turns
from usermgmt.kernel import registry
from usermgmt.kernel.errors import Exit, UsermgmtError, said
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Batch, Change, Refusal
from usermgmt.kernel.transaction import record_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.registry import Job

_LEAVES_ENTRY = (Exit.DENIED, Exit.CONFLICT, Exit.INVALID)
_GIVES_WAY = (Exit.UNAVAILABLE, Exit.INTEGRITY)


def tick(ctx: Context, only: str = "") -> Batch:
    """Do what is due of all jobs, or ``only`` of one; raises ``JobNotFound``.

    Where the store itself gives way, the jobs that are left are not tried: the next tick finds them due.
    """
    results: list[Change | Refusal] = []
    quiet = 0
    for job in _chosen(only):
        before = len(results)
        with _working_for(ctx, job):
            turns = Turns(ctx, job)
            try:
                steps = 0
                for step in turns.steps():
                    results.extend(step.done)
                    steps += 1
            except Exception as error:
                if ctx.output.debug and not isinstance(error, UsermgmtError):
                    raise
                failed = _failure(error)
                results.append(Refusal(job.name, failed))
                _leave_entry(ctx, job, failed)
                if failed.exit in _GIVES_WAY and not turns.working:
                    break
            else:
                quiet += bool(steps) and len(results) == before
    return Batch(tuple(results), quiet)


def _chosen(only: str) -> tuple[Job, ...]:
    jobs = registry.jobs()
    if not only:
        return jobs
    found = tuple(job for job in jobs if job.name == only)
    if not found:
        raise JobNotFound.near(only, [job.name for job in jobs])
    return found


@contextmanager
def _working_for(ctx: Context, job: Job) -> Iterator[None]:
    """Let what is done be the job's doing; the account that runs it stands on the entries all the same."""
    before, ctx.actor, ctx.target = ctx.actor, ctx.actor.working_for(job.name), ""
    try:
        yield
    finally:
        ctx.actor = before


def _failure(error: Exception) -> UsermgmtError:
    if isinstance(error, UsermgmtError):
        return error
    # only the class of what nobody foresaw: its text may quote a stored value
    problem = said(error) if isinstance(error, OSError) else type(error).__name__
    return UsermgmtError(problem=problem, hint=N_("repeat the command with --debug for the details"))


def _leave_entry(ctx: Context, job: Job, error: UsermgmtError) -> None:
    """Leave the entry that a refused command leaves."""
    if ctx.dry_run or error.exit not in _LEAVES_ENTRY:
        return
    try:
        record_failure(ctx, job.name, error)
    except UsermgmtError as second:
        # the refusal stands; that it could not be recorded is said beside it
        ctx.warn(second.message)
