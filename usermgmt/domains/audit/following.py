"""``audit tail --follow``: the newest entries, and then each one as it comes, until a signal or the reader ends it."""

from __future__ import annotations

import select
import time
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from usermgmt.domains.audit.lineages import History
from usermgmt.kernel.audit import entries
from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import Listing
from usermgmt.kernel.reveal import record_reveal
from usermgmt.kernel.selectors import And, Compare
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.kernel.transaction import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Store

INTERVAL = 0.2
"""Seconds between two looks at the head."""
_HEAD = sa.select(audit_head.c.seq, store_meta.c.lineage).join(store_meta, sa.true())


class Seen(NamedTuple):
    """How far the log was when it was looked at."""

    seq: int
    lineage: int


def follow(ctx: Context, limit: int) -> Listing:
    """Return the newest ``limit`` entries and, without an end, those that are appended.

    Raises ``UsageProblem`` for a format that cannot be written before its end is known.
    """
    _check_format(ctx)
    if ctx.output.reveal:
        # once, and before anything is shown: an entry for each that is shown would be shown itself, without an end
        record_reveal(ctx, Listing((), (), lambda: limit), follows=True)
    with reading(ctx):
        seen = _seen(ctx.db)
        first = list(entries.listing(ctx, entries.filters(ctx), limit=limit, last=True).rows)
    return Listing(ctx.fields, chain(first, _later(ctx, seen)), measured=max(len(first), 1))


def _check_format(ctx: Context) -> None:
    output = ctx.output
    if output.jq and output.jq.lstrip().startswith(".[]"):
        return
    if output.jq or output.format == "count":
        raise UsageProblem(problem=_("--follow has no end, and this can be said at the end only"))
    if output.format == "json":
        hint = N_("-o ndjson writes an object a line")
        raise UsageProblem(problem=_("--follow has no end, and a JSON array needs one"), hint=hint)


def _seen(connection: Connection) -> Seen:
    return Seen(*connection.execute(_HEAD).one())


def _later(ctx: Context, seen: Seen) -> Iterator[tuple[Any, ...]]:
    for now in _heads(ctx):
        if now != seen:
            with reading(ctx):
                # of this snapshot, which may have more than what was just seen
                now = _seen(ctx.db)  # noqa: PLW2901 - the same, later
                wanted = (Compare("seq", ">=", _first_new(ctx, seen, now)), Compare("seq", "<=", now.seq))
                yield from entries.listing(ctx, And(wanted)).rows
            seen = now


def _first_new(ctx: Context, seen: Seen, now: Seen) -> int:
    """Return the number of the first entry that is new; after a restore that is the restore's own."""
    if now.lineage == seen.lineage:
        return seen.seq + 1
    began = min((one.seq for one in History(ctx.db).restores if one.lineage > seen.lineage), default=now.seq)
    ctx.warn(_("the store was restored; lineage {lineage} begins at entry {n}").format(lineage=now.lineage, n=began))
    return began


def _heads(ctx: Context) -> Iterator[Seen]:
    """Yield the head again and again, read through one connection as long as the store is the same file."""
    while True:
        there = _file(ctx.store)
        with ctx.store.guarded(), ctx.store.engine.connect() as connection:
            connection.execution_options(lockless=True)
            while _file(ctx.store) == there:
                with connection.begin():
                    now = _seen(connection)
                yield now
                _wait(ctx)


def _file(store: Store) -> tuple[int, int] | None:
    # a restore over a damaged store gives its name to another file
    path = store.place.path
    if path is None or not path.exists():
        return None
    info = path.stat()
    return info.st_dev, info.st_ino


def _wait(ctx: Context) -> None:
    """Let the reader have what was written, and wait; raises ``BrokenPipeError`` where the reader has gone."""
    out = ctx.streams.stdout
    out.flush()
    poll = select.poll()
    try:
        # asked for nothing, it still tells of a pipe without a reader
        poll.register(out.fileno(), 0)
    except OSError:
        time.sleep(INTERVAL)
        return
    if poll.poll(int(INTERVAL * 1000)):
        raise BrokenPipeError
