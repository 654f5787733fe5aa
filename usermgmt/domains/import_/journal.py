"""The row of a run: begun before the first chunk, and moved forward in the transaction of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.import_.errors import RunMoved, SeveralRuns, UnknownRun
from usermgmt.domains.import_.models import ImportRun
from usermgmt.domains.import_.types import State, Tally
from usermgmt.kernel import transaction
from usermgmt.kernel.selectors import starts_with
from usermgmt.kernel.transfer import DROPPED, OUTCOMES, REJECTED, REPORTED

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping

    from usermgmt.domains.import_.source import Fingerprint
    from usermgmt.kernel.context import Context

table = ImportRun.__table__  # type: ignore[attr-defined]

_LATEST = 3
"""Runs that are named where there is none of the given id."""


def find(connection: Connection, name: str) -> RowMapping:
    """Return the run whose id is ``name`` or begins so; raises ``UnknownRun``, ``SeveralRuns``."""
    query = sa.select(table).where(starts_with(table.c.run, name.lower())).order_by(table.c.run.desc()).limit(_LATEST)
    found = connection.execute(query).mappings().all() if name else []
    if not found:
        latest = connection.execute(sa.select(table.c.run).order_by(table.c.run.desc()).limit(_LATEST)).scalars().all()
        raise UnknownRun(None if latest else "", name=name, latest=", ".join(latest))
    if len(found) > 1:
        raise SeveralRuns(name=name, runs=", ".join(row["run"] for row in found))
    return found[0]


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run is begun with, as its row keeps it; ``file`` as the caller named it."""

    noun: str
    file: str
    options: dict[str, Any]
    fingerprint: Fingerprint | None
    report: str | None


class Journal:
    """Writes the row of one run; ``done`` and ``report_bytes`` are what the row says.

    Every change names the row as this process left it, so no chunk is saved where the store was restored meanwhile.
    """

    def __init__(self, ctx: Context, run: str, done: int = 0, report_bytes: int = 0) -> None:
        self.run = run
        self.done = done
        self.report_bytes = report_bytes
        self._ctx = ctx

    @classmethod
    def begin(cls, ctx: Context, begun: Begun) -> Journal:
        """Make the row, in a transaction of its own."""
        size, sha256 = begun.fingerprint or (None, None)
        now = ctx.clock.text()
        values = {
            "run": ctx.change_id,
            "noun": begun.noun,
            "file": begun.file,
            "size": size,
            "sha256": sha256,
            "options": begun.options,
            "report": begun.report,
            "report_bytes": 0,
            "done": 0,
            "counts": {},
            "refusal": {},
            "state": State.RUNNING.value,
            "actor": ctx.actor.name,
            "started_at": now,
            "updated_at": now,
        }
        with transaction.writing(ctx):
            ctx.db.execute(sa.insert(table).values(values))
        return cls(ctx, ctx.change_id)

    @classmethod
    def resume(cls, ctx: Context, row: RowMapping) -> Journal:
        """Take up a run that ``row`` says was broken off; raises ``RunMoved``."""
        journal = cls(ctx, row["run"], row["done"], row["report_bytes"])
        with transaction.writing(ctx):
            journal._change(row["state"], State.RUNNING)
        return journal

    def save(self, tally: Tally, report_bytes: int, state: State) -> None:
        """Keep in the running transaction that the run came to ``tally``, the whole of it; then ``moved``."""
        counts = {name: tally.counts[name] for name in OUTCOMES if tally.counts[name]}
        counts |= {name: tally.findings[name] for name in (DROPPED, REPORTED) if tally.findings[name]}
        values = {"counts": counts, "refusal": dict(tally.first_refusal), "report_bytes": report_bytes}
        self._change(State.RUNNING, state, done=tally.read, **values)

    def moved(self, tally: Tally, report_bytes: int) -> None:
        """Take note that what ``save`` kept is committed."""
        self.done, self.report_bytes = tally.read, report_bytes

    def end(self, state: State) -> Tally | None:
        """Keep in the running transaction that the run ended; return what it came to, None where it had ended."""
        mine = table.c.run == self.run
        row = (
            self._ctx.db.execute(sa.select(table).where(mine, table.c.state == State.RUNNING.value)).mappings().first()
        )
        if row is None:
            return None
        # a chunk may have been committed without this process having seen that it was
        self.done, self.report_bytes = row["done"], row["report_bytes"]
        self._change(State.RUNNING, state)
        return loaded(row)

    def _change(self, before: str, after: State, **values: Any) -> None:
        now = self._ctx.clock.text()
        values |= {"state": after.value, "updated_at": now, "ended_at": None if after == State.RUNNING else now}
        mine = (table.c.run == self.run, table.c.state == before, table.c.done == self.done)
        if self._ctx.db.execute(sa.update(table).where(*mine).values(values)).rowcount != 1:
            raise RunMoved(run=self.run)


def loaded(row: RowMapping) -> Tally:
    """Return what a row says became of the records."""
    counts = row["counts"]
    tally = Tally(Counter({name: counts[name] for name in OUTCOMES if name in counts}), refusal=row["refusal"])
    tally.findings.update({name: counts[name] for name in (DROPPED, REPORTED) if name in counts})
    tally.findings[REJECTED] = tally.counts[REJECTED]
    return tally
