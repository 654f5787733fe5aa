"""What jobs of ``tick`` and whoever knows of things to come give: the types that they and the callers both know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from usermgmt.kernel.results import CREATED, Change

if TYPE_CHECKING:
    from usermgmt.kernel.context import Context


@dataclass(frozen=True, slots=True)
class Turn:
    """One slot of one job: ``due`` is its time, ``since`` that of the last turn that was finished, as far as known."""

    job: str
    due: str
    since: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction of a turn did; with ``more`` the turn goes on in another one."""

    done: tuple[Change, ...] = ()
    more: bool = False


class Due(NamedTuple):
    """One thing that falls due: ``target`` is a user as the audit has it, a job or the store, ``name`` for people."""

    at: str
    kind: str
    target: str
    name: str
    overdue: bool = False


def done(ctx: Context, turn: Turn, noun: str, name: str, note: str, **values: Any) -> Change:
    """Return the line that a tick prints for one thing it did: the marked ``noun``, its ``name`` and a ``note``."""
    return Change(CREATED, noun, name, {"job": turn.job, "target_name": name, "at": ctx.now, **values}, note=note)
