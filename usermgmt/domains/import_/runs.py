"""One run of an import: pieces are written chunk by chunk, or all of them in one transaction, and counted."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_.types import OnError, State, Tally
from usermgmt.kernel import transaction
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import _
from usermgmt.kernel.report import report as tell_error
from usermgmt.kernel.transfer import IGNORED, REJECTED, Finding, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from usermgmt.domains.import_.journal import Journal
    from usermgmt.domains.import_.reporting import Report
    from usermgmt.domains.import_.types import Piece
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.errors import UsermgmtError
    from usermgmt.kernel.progress import Progress
    from usermgmt.kernel.transfer import Session

SLICE = 1000
"""Records between two looks at the clock."""
SHARE = 0.2
"""Seconds that one transaction goes on for while other writers wait."""
LONGEST = 2.0
"""Seconds that one transaction goes on for while nobody waits: in a large store it changes pages all over the indexes,
and has to write each of them once, however many records it holds."""
TOLD = 10
"""Refusals that are told on standard error where a report has them all."""


def json_wanted(ctx: Context) -> bool:
    """Tell whether errors are wanted as JSON: then nothing else may follow them."""
    return ctx.output.format in ("json", "ndjson")


class Room:
    """How much one transaction still takes: ``most`` records, and the less time the more others are in a hurry."""

    def __init__(self, most: int, waited_for: Callable[[], bool]) -> None:
        self._most = most
        self._waited_for = waited_for
        self._began = monotonic()

    def left(self, taken: int) -> int:
        """Return how many records it takes beside those that it took."""
        spent = monotonic() - self._began
        over = spent >= LONGEST or (spent >= SHARE and self._waited_for())
        return 0 if over else max(self._most - taken, 0)


class _RolledBack(Exception):
    pass


class Run:
    """Writes the pieces of one file; ``tally`` is what became of its records, those of earlier processes included.

    With a journal it goes chunk by chunk, each committed together with what the journal then says.
    """

    def __init__(
        self,
        ctx: Context,
        noun: str,
        session: Session,
        on_error: OnError,
        report: Report | None,
        facts: Callable[[], dict[str, Any]],
        journal: Journal | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self.state = State.RUNNING
        self.untold = 0
        """Refusals that only the report names."""
        self._ctx = ctx
        self._noun = noun
        self._session = session
        self._halt = on_error == OnError.STOP
        self._whole = on_error == OnError.ROLLBACK
        self._report = report
        self._facts = facts
        self._journal = journal
        self._halted = False
        self._hinted: set[str] = set()

    @property
    def id(self) -> str | None:
        """The id of the run; None for a rehearsal, which is none."""
        return self._journal.run if self._journal is not None else None

    @property
    def partial(self) -> Path | None:
        """The file that has what the report will be made of."""
        return self._report.partial if self._report is not None else None

    @property
    def left(self) -> bool:
        """Whether records were left that another process can go on with."""
        return not self._whole and self.state in (State.INTERRUPTED, State.FAILED, State.STOPPED)

    @property
    def rolled_back(self) -> bool:
        """Whether a refused record had all of them rolled back."""
        return self._whole and self.state == State.FAILED

    def go(self, pieces: Iterable[Piece], progress: Progress, position: Callable[[], float]) -> None:
        """Write all pieces. A rehearsal is one transaction, as ``rollback`` is."""
        followed = self._followed(pieces, progress, position)
        try:
            if self._journal is None or self._whole:
                self._in_one(followed)
            else:
                with self._ctx.store.holding():
                    self._in_chunks(followed, self._journal)
        except BaseException as error:
            if self._journal is not None:
                self._leave(self._journal, State.FAILED if isinstance(error, Exception) else State.INTERRUPTED)
            raise

    def _followed(self, pieces: Iterable[Piece], progress: Progress, position: Callable[[], float]) -> Iterable[Piece]:
        for piece in pieces:
            yield piece
            progress.at(position(), self.tally.read)
            if self._halted:
                return

    # -- transactions ----------------------------------------------------------------------------------------------

    def _in_one(self, pieces: Iterable[Piece]) -> None:
        try:
            with self._ctx.store.holding(), transaction.writing(self._ctx):
                for piece in self._checked(pieces):
                    tally = Tally()
                    self._write(piece, None, tally)
                    self.tally = self.tally.plus(tally)
                    # what was gathered is written now, and rolled back with the rest: memory stays flat
                    self._ctx.log.close()
                    self._reported()
                if self._whole and self.tally.refused:
                    raise _RolledBack
                self._end_whole(State.DONE)
                self._record(self.tally)
        except _RolledBack:
            self.tally.roll_back()
            with transaction.writing(self._ctx):
                self._end_whole(State.FAILED)

    def _end_whole(self, state: State) -> None:
        self.state = state
        if self._journal is not None:
            self._journal.save(self.tally, 0, state)

    def _in_chunks(self, pieces: Iterable[Piece], journal: Journal) -> None:
        rest = self._checked(pieces)
        piece = next(rest, None)
        while piece is not None and self.state == State.RUNNING:
            with self._chunk(journal) as tally:
                room = self._room()
                while piece is not None and self.state == State.RUNNING and room.left(tally.read):
                    self._write(piece, room, tally)
                    # what was gathered is written now: memory stays flat
                    self._ctx.log.close()
                    self.state = self._standing(piece)
                    if piece.done and room.left(tally.read):
                        piece = next(rest, None)
            if piece is not None and piece.done:
                # before the next transaction: checking a record takes longer than writing it
                piece = next(rest, None)
        if self.state == State.RUNNING:
            # nothing was left to read
            with self._chunk(journal):
                self.state = State.DONE

    def _checked(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if piece.count:
                piece.checked = self._session.read(piece.chunk)
            yield piece

    def _room(self) -> Room:
        return Room(self._ctx.settings.number("import.chunk"), self._ctx.store.waited_for)

    def _standing(self, piece: Piece) -> State:
        """Return how the run stands after what was written of ``piece``."""
        if piece.last and piece.done and not piece.asides:
            return State.DONE
        return State.STOPPED if self._halted else State.RUNNING

    @contextmanager
    def _chunk(self, journal: Journal) -> Iterator[Tally]:
        """Run one transaction, for records that the caller counts in the tally that is given."""
        tally = Tally()
        with transaction.writing(self._ctx):
            yield tally
            total = self.tally.plus(tally)
            if self.state != State.RUNNING:
                self._record(total)
            # on the disk before the commit: a row that is counted is in the report
            length = self._reported()
            journal.save(total, length, self.state)
        journal.moved(total, length)
        self.tally = total

    def _reported(self) -> int:
        return self._report.keep() if self._report is not None else 0

    def _leave(self, journal: Journal, state: State) -> None:
        """Keep how the run ended, and the entry of what it saved; what ended it is told, whatever becomes of this."""
        with suppress(Exception):
            with transaction.writing(self._ctx):
                saved = journal.end(state)
                if saved is not None:
                    self._record(saved, ended=state.value)
            if saved is not None:
                self.tally, self.state = saved, state
                if self._report is not None:
                    self._report.cut(journal.report_bytes)

    def _write(self, piece: Piece, room: Room | None, tally: Tally) -> None:
        """Write what is left of ``piece``, until ``room`` is used up, and count it."""
        self._pass(piece, piece.row, tally)
        while not (piece.done or self._halted):
            left = SLICE if room is None else room.left(tally.read)
            if not left:
                return
            stop = min(piece.row + min(SLICE, left), piece.count)
            if self._halt:
                stop = min(stop, next((one.position for one in piece.asides if one.error is not None), stop))
            written = self._session.write(piece.checked, piece.row, stop, halt=self._halt)
            self._count(piece, written, tally)
            piece.row = piece.row + sum(written.counts.values()) if written.refused else stop
            # behind the refused record nothing has been looked at
            self._pass(piece, piece.row - written.refused, tally)

    # -- counting and telling --------------------------------------------------------------------------------------

    def _count(self, piece: Piece, written: Written, tally: Tally) -> None:
        tally.counts.update(written.counts)
        for finding in written.findings:
            # told in the order of the file
            self._pass(piece, finding.row, tally)
            self._tell(tally, finding, piece.chunk.lines[finding.row], piece.raw[finding.row])
        self._halted = written.refused

    def _pass(self, piece: Piece, row: int, tally: Tally) -> None:
        """Count what stands before the sound record ``row``, up to the first refused one where that ends the run."""
        while piece.asides and piece.asides[0].position <= row:
            one = piece.asides.popleft()
            if one.error is None:
                tally.counts[IGNORED] += 1
                continue
            tally.counts[REJECTED] += 1
            self._tell(tally, Finding(one.position, REJECTED, one.error), one.line, one.cells)
            if self._halt:
                self._halted = True
                return

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

    # -- the entry of the run --------------------------------------------------------------------------------------

    def _record(self, tally: Tally, **facts: Any) -> None:
        """Append the entry of the run to the running transaction, where the run changed anything."""
        if tally.changed:
            counts = {name: count for name, count in tally.summary().items() if count}
            self._ctx.audit(E.DATA_IMPORT, self._noun, facts={"counts": counts, **self._facts(), **facts})
