"""One run of an import: pieces are written chunk by chunk, or all of them in one transaction, and counted."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_.types import OnError, Tally
from usermgmt.kernel import transaction
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import _
from usermgmt.kernel.report import report as tell_error
from usermgmt.kernel.signals import held
from usermgmt.kernel.transfer import IGNORED, REJECTED, Finding, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from usermgmt.domains.import_.reporting import Report
    from usermgmt.domains.import_.types import Bad, Piece
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.errors import UsermgmtError
    from usermgmt.kernel.progress import Progress
    from usermgmt.kernel.transfer import Session

SLICE = 1000
"""Records between two looks at the clock."""
LONGEST = 0.5
"""Seconds that one transaction may keep other writers waiting."""
TOLD = 10
"""Refusals that are told on standard error where a report has them all."""


def json_wanted(ctx: Context) -> bool:
    """Tell whether errors are wanted as JSON: then nothing else may follow them."""
    return ctx.output.format in ("json", "ndjson")


class _RolledBack(Exception):
    pass


class Run:
    """Writes the pieces of one file; ``tally`` is what became of its records."""

    def __init__(
        self,
        ctx: Context,
        noun: str,
        session: Session,
        on_error: OnError,
        report: Report | None,
        facts: Callable[[], dict[str, Any]],
    ) -> None:
        self.tally = Tally()
        self.halted = False
        self.rolled_back = False
        self.untold = 0
        """Refusals that only the report names."""
        self._ctx = ctx
        self._noun = noun
        self._session = session
        self._halt = on_error == OnError.STOP
        self._whole = on_error == OnError.ROLLBACK
        self._report = report
        self._facts = facts
        self._hinted: set[str] = set()

    def go(self, pieces: Iterable[Piece], progress: Progress, position: Callable[[], float]) -> None:
        """Write all pieces. A rehearsal is one transaction, as ``rollback`` is."""
        followed = self._followed(pieces, progress, position)
        if self._ctx.dry_run or self._whole:
            self._in_one(followed)
            return
        try:
            with self._ctx.store.holding():
                for piece in followed:
                    self._in_chunks(piece)
        except BaseException:
            self._record_interrupted()
            raise

    def _followed(self, pieces: Iterable[Piece], progress: Progress, position: Callable[[], float]) -> Iterable[Piece]:
        for piece in pieces:
            yield piece
            progress.at(position(), sum(self.tally.counts.values()))
            if self.halted:
                return

    # -- transactions ----------------------------------------------------------------------------------------------

    def _in_one(self, pieces: Iterable[Piece]) -> None:
        try:
            with self._ctx.store.holding(), transaction.writing(self._ctx):
                for piece in pieces:
                    checked = self._session.read(piece.chunk) if piece.count else None
                    self._add(self._write(piece, checked, 0, LONGEST * 1e9)[1])
                    # what was gathered is written now, and rolled back with the rest: memory stays flat
                    self._ctx.log.close()
                if self._whole and self.tally.refused:
                    raise _RolledBack
                self._record()
        except _RolledBack:
            self.rolled_back = True
            self.tally.roll_back()

    def _in_chunks(self, piece: Piece) -> None:
        # read before the transaction: checking a record takes longer than writing it
        checked = self._session.read(piece.chunk) if piece.count else None
        row = 0
        while True:
            if not piece.count:
                self._add(self._write(piece, checked, 0, LONGEST)[1])
                if (piece.last or self.halted) and self.tally.changed:
                    self._record_alone()
                return
            with ExitStack() as committing:
                with transaction.writing(self._ctx):
                    row, tally = self._write(piece, checked, row, LONGEST)
                    done = row >= piece.count or self.halted
                    if done and (piece.last or self.halted):
                        self._record(tally)
                    # a run that is told to end just after a commit counts what it committed
                    committing.enter_context(held())
                self._add(tally)
            if done:
                return

    def _write(self, piece: Piece, checked: object, row: int, seconds: float) -> tuple[int, Tally]:
        """Write records from ``row`` on until the time is over; return where it came to, and what became of them."""
        tally = Tally()
        began = monotonic()
        limit = piece.bad[0].position if self._halt and piece.bad else piece.count
        while row < limit and not self.halted and monotonic() - began < seconds:
            stop = min(row + SLICE, limit)
            self._count(piece, self._session.write(checked, row, stop, halt=self._halt), tally)
            row = stop
        if row >= limit and not self.halted:
            self._count_bad(piece, tally)
        return row, tally

    # -- counting and telling --------------------------------------------------------------------------------------

    def _count(self, piece: Piece, written: Written, tally: Tally) -> None:
        tally.counts.update(written.counts)
        for finding in written.findings:
            self._tell(tally, finding, piece.chunk.lines[finding.row], piece.raw[finding.row])
        self.halted = written.refused

    def _count_bad(self, piece: Piece, tally: Tally) -> None:
        bad: list[Bad] = piece.bad[:1] if self._halt else piece.bad
        if not (self._halt and bad):
            tally.counts[IGNORED] += piece.ignored
        for one in bad:
            tally.counts[REJECTED] += 1
            self._tell(tally, Finding(one.position, REJECTED, one.error), one.line, one.cells)
        self.halted = self._halt and bool(bad)

    def _tell(self, tally: Tally, finding: Finding, line: int, raw: Any) -> None:
        tally.findings[finding.outcome] += 1
        if finding.outcome == REJECTED:
            tally.first = tally.first or finding.error
            self._say(finding.error, line, self.tally.refused + tally.findings[REJECTED])
        if self._report is not None:
            self._report.add(line, finding.outcome, finding.error, raw)

    def _say(self, error: UsermgmtError, line: int, number: int) -> None:
        """Name a refused record on standard error; all of them, unless a report does."""
        if self._report is not None and number > TOLD:
            self.untold += 1
            return
        error.facts.setdefault("line", line)
        json = json_wanted(self._ctx)
        if not json and error.code in self._hinted:
            error.hint = ""
        self._hinted.add(error.code)
        tell_error(self._ctx.streams, error, json=json, name=_("line {n}").format(n=line))

    def _add(self, tally: Tally) -> None:
        self.tally.counts.update(tally.counts)
        self.tally.findings.update(tally.findings)
        self.tally.first = self.tally.first or tally.first

    # -- the entry of the run --------------------------------------------------------------------------------------

    def _record(self, tally: Tally | None = None, **facts: Any) -> None:
        """Append the entry of the run to the running transaction, where the run changed anything."""
        so_far = Tally(self.tally.counts + (tally.counts if tally else Counter()))
        if so_far.changed:
            counts = {name: count for name, count in so_far.summary().items() if count}
            self._ctx.audit(E.DATA_IMPORT, self._noun, facts={"counts": counts, **self._facts(), **facts})

    def _record_alone(self, **facts: Any) -> None:
        with transaction.writing(self._ctx):
            self._record(**facts)

    def _record_interrupted(self) -> None:
        """Leave the entry of a run whose first chunks are saved; what ended it is told, whatever becomes of this."""
        if self.tally.changed:
            with suppress(Exception):
                self._record_alone(ended="interrupted")
