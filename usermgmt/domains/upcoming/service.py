"""What falls due, told by every domain that knows of something, and brought into the order of time."""

from __future__ import annotations

from contextlib import ExitStack, closing
from heapq import merge
from typing import TYPE_CHECKING, Any

from usermgmt.domains.upcoming import ical
from usermgmt.kernel import registry
from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.i18n import _
from usermgmt.kernel.results import Bytes, Listing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.jobs import Due


def upcoming(ctx: Context, within: str) -> Listing | Bytes:
    """Return what falls due before the time that ``within`` says, as ``ctx.fields`` or as a calendar.

    Raises ``BadTime``, and ``UsageProblem`` for fields of a calendar.
    """
    until = ctx.moment(within, "--within", "end")
    if ctx.output.format == "ical":
        if ctx.output.fields:
            raise UsageProblem(problem=_("--fields chooses columns, and a calendar has none"))
        return Bytes(ical.calendar(_due(ctx, until), store=ctx.store.meta.store_id, now=ctx.now))
    return Listing(ctx.fields, _rows(ctx, until))


def _rows(ctx: Context, until: str) -> Iterator[tuple[Any, ...]]:
    with closing(_due(ctx, until)) as every:
        for due in every:
            values = {**due._asdict(), "target_name": due.name}
            yield tuple(values[name] for name in ctx.fields)


def _due(ctx: Context, until: str) -> Generator[Due]:
    with ExitStack() as stack:
        known: list[Iterator[Due]] = []
        for name in (name for one in registry.declarations() for name in one.upcoming):
            tell: Any = registry.resolve(name)
            known.append(stack.enter_context(closing(tell(ctx, until))))
        yield from merge(*known, key=lambda due: due.at)
