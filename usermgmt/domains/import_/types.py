"""What an import is asked for, and what it tells."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from usermgmt.domains.user.types import IfExists
from usermgmt.kernel.transfer import CREATED, OUTCOMES, REJECTED, SKIPPED, UNCHANGED, UPDATED, Chunk, Handling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from usermgmt.kernel.errors import UsermgmtError


class OnError(StrEnum):
    """What a refused record means for the others."""

    CONTINUE = "continue"
    STOP = "stop"
    ROLLBACK = "rollback"


class Empty(StrEnum):
    """What an empty cell means."""

    KEEPS = "keeps"
    CLEARS = "clears"


class State(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    """Every record of the file has its outcome."""
    STOPPED = "stopped"
    """At a refused record, as ``--on-error stop`` wants."""
    INTERRUPTED = "interrupted"
    """By a signal, or its process died."""
    FAILED = "failed"
    """By an error that is no record's, or rolled back."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be read and what becomes of its records; None and empty: as the file shows itself, or as usual.

    ``map_file`` names the map of the columns, ``map`` is its text.
    """

    form: str = ""
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    map_file: str = ""
    map: str | None = None
    ignore_unknown: bool = False
    empty: Empty | None = None
    if_exists: IfExists | None = None
    on_error: OnError | None = None
    drop_invalid: bool = False
    allow_confusable: bool = False
    report: str = ""
    resume: str | None = None

    def settled(self) -> Options:
        """Return them with what is usual where nothing was given."""
        return replace(
            self,
            empty=self.empty or Empty.KEEPS,
            if_exists=self.if_exists or IfExists.FAIL,
            on_error=self.on_error or OnError.CONTINUE,
        )

    def handling(self) -> Handling:
        """Return what of them is for the domain of the records to know."""
        return Handling(
            if_exists=(self.if_exists or IfExists.FAIL).value,
            clears=self.empty == Empty.CLEARS,
            drops=self.drop_invalid,
            allow_confusable=self.allow_confusable,
        )


@dataclass(slots=True)
class Aside:
    """What stands between the sound records of a piece: one that cannot be used, or an empty one (``error`` None).

    ``position`` counts the sound records of its piece before it.
    """

    position: int
    line: int
    error: UsermgmtError | None = None
    cells: Any = ()


@dataclass(slots=True)
class Piece:
    """Some records of the file as they stand in it, and as columns of fields; ``last`` says that no others follow.

    ``checked`` is what the importer made of them; the first ``row`` have their outcome.
    """

    chunk: Chunk
    raw: list[Any]
    asides: deque[Aside] = field(default_factory=deque)
    last: bool = False
    checked: object = None
    row: int = 0

    @property
    def count(self) -> int:
        """How many sound records there are."""
        return len(self.chunk.lines)

    @property
    def done(self) -> bool:
        """Whether every sound record has its outcome."""
        return self.row >= self.count


@dataclass(slots=True)
class Tally:
    """What became of the records so far, and the first refusal."""

    counts: Counter[str] = field(default_factory=Counter)
    first: UsermgmtError | None = None
    findings: Counter[str] = field(default_factory=Counter)
    refusal: Mapping[str, Any] = field(default_factory=dict)
    """Code and exit code of the first refusal, where an earlier process met it."""

    @property
    def first_refusal(self) -> Mapping[str, Any]:
        """Code and exit code of the first refusal; empty where there was none."""
        if self.refusal or self.first is None:
            return self.refusal
        return {"code": self.first.code, "exit": int(self.first.exit)}

    @property
    def read(self) -> int:
        """How many records of the file have their outcome: those from its beginning."""
        return sum(self.counts[name] for name in OUTCOMES)

    def plus(self, other: Tally) -> Tally:
        """Return the tally of these records and of those after them."""
        return Tally(
            self.counts + other.counts, self.first or other.first, self.findings + other.findings, self.refusal
        )

    @property
    def changed(self) -> int:
        """How many records changed the store."""
        return self.counts[CREATED] + self.counts[UPDATED]

    @property
    def taken(self) -> int:
        """How many records were neither refused nor left out as no record at all."""
        return self.changed + self.counts[UNCHANGED] + self.counts[SKIPPED]

    def roll_back(self) -> None:
        """Count what was to be written among what was left alone."""
        self.counts[SKIPPED] += self.changed
        self.counts[CREATED] = self.counts[UPDATED] = 0

    def summary(self) -> dict[str, int]:
        """Return the six outcomes and their sum."""
        return {"read": self.read, **{name: self.counts[name] for name in OUTCOMES}}

    @property
    def outcome(self) -> str:
        """The outcome of the run as of any write."""
        return CREATED if self.counts[CREATED] else UPDATED if self.counts[UPDATED] else UNCHANGED

    @property
    def refused(self) -> int:
        """How many records were refused."""
        return self.counts[REJECTED]
