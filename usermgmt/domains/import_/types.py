"""What an import is asked for, and what it tells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from usermgmt.kernel.transfer import CREATED, OUTCOMES, REJECTED, SKIPPED, UNCHANGED, UPDATED, Chunk

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be read and its records taken; empty: as the file shows itself."""

    form: str = ""
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    map_file: str = ""
    ignore_unknown: bool = False
    on_error: OnError = OnError.CONTINUE
    report: str = ""


@dataclass(slots=True)
class Bad:
    """A record that could not even be read; ``position`` counts the sound records of its piece before it."""

    position: int
    line: int
    error: UsermgmtError
    cells: Any = ()


@dataclass(slots=True)
class Piece:
    """Some records of the file as they stand in it, and as columns of fields; ``last`` says that no others follow."""

    chunk: Chunk
    raw: list[Any]
    bad: list[Bad] = field(default_factory=list)
    ignored: int = 0
    last: bool = False

    @property
    def count(self) -> int:
        """How many sound records there are."""
        return len(self.chunk.lines)


@dataclass(slots=True)
class Tally:
    """What became of the records so far, and the first refusal."""

    counts: Counter[str] = field(default_factory=Counter)
    first: UsermgmtError | None = None
    findings: Counter[str] = field(default_factory=Counter)

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
        return {"read": sum(self.counts[name] for name in OUTCOMES), **{name: self.counts[name] for name in OUTCOMES}}

    @property
    def outcome(self) -> str:
        """The outcome of the run as of any write."""
        return CREATED if self.counts[CREATED] else UPDATED if self.counts[UPDATED] else UNCHANGED

    @property
    def refused(self) -> int:
        """How many records were refused."""
        return self.counts[REJECTED]
