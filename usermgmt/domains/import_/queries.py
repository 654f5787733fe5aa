"""Reading runs: how each stands, what became of its records, what it was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.import_ import alive, journal
from usermgmt.domains.import_.reporting import partial
from usermgmt.domains.import_.types import State
from usermgmt.domains.import_.views import RUN
from usermgmt.kernel.results import Listing
from usermgmt.kernel.transfer import DROPPED, REPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import RowMapping

    from usermgmt.kernel.context import Context

_CHUNK = 500


def listing(ctx: Context, limit: int | None) -> Listing:
    """List the runs, oldest first."""
    query = sa.select(journal.table).order_by(journal.table.c.run).limit(limit)

    def total() -> int:
        return int(ctx.db.execute(sa.select(sa.func.count()).select_from(journal.table)).scalar_one())

    def rows() -> Iterator[tuple[Any, ...]]:
        with ctx.db.execute(query.execution_options(yield_per=_CHUNK)) as result:
            for chunk in result.mappings().partitions():
                for values in _shown(ctx, chunk):
                    yield tuple(values[name] for name in ctx.fields)

    return Listing(ctx.fields, rows(), total, limit)


def record(ctx: Context, name: str) -> dict[str, Any]:
    """Return one run, whose id begins with ``name``; raises ``UnknownRun``, ``SeveralRuns``."""
    [values] = _shown(ctx, [journal.find(ctx.db, name)])
    return values


def _shown(ctx: Context, rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    running = {row["run"] for row in rows if row["state"] == State.RUNNING}
    dead = running - alive.among(ctx.db, ctx.store, running) if running else set()
    ended = _ended(ctx, dead) if dead else {}
    return [_values(ended.get(row["run"], row), dead=row["run"] in dead) for row in rows]


def _ended(ctx: Context, runs: set[str]) -> dict[str, RowMapping]:
    """Return those of ``runs`` that came to their end since the snapshot, before they let go of their locks."""
    query = sa.select(journal.table).where(journal.table.c.run.in_(runs), journal.table.c.state != State.RUNNING.value)
    with ctx.store.reading() as later:
        return {row["run"]: row for row in later.execute(query).mappings()}


def _values(row: RowMapping, *, dead: bool) -> dict[str, Any]:
    tally = journal.loaded(row)
    state = State(row["state"])
    if dead and state == State.RUNNING:
        state = State.INTERRUPTED
    kept = state not in (State.RUNNING, State.DONE) and row["report_bytes"]
    values = {
        **row,
        "state": state.value,
        **tally.summary(),
        **{name: tally.findings[name] for name in (DROPPED, REPORTED)},
        "partial": str(partial(Path(row["report"]), row["run"])) if kept else None,
    }
    return {name: values[name] for name in RUN.names}
