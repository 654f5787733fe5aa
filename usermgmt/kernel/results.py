"""What commands return: data that ``render`` turns into any format; no command prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from usermgmt.kernel.errors import Exit, UsermgmtError

CREATED, UPDATED, UNCHANGED, REMOVED, PENDING = "created", "updated", "unchanged", "removed", "pending"


def _end(stream: Iterable[Any]) -> None:
    end = getattr(stream, "close", None)
    if end is not None:
        end()


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of a list, streamed; ``rows`` hold the values of ``fields`` in order.

    ``total`` is called only where ``--limit`` cut the list to ``limit`` rows, to say how many there are. ``measured``
    is how many rows are at hand where later ones may be long in coming: a table takes its widths from these.
    """

    fields: tuple[str, ...]
    rows: Iterable[tuple[Any, ...]]
    total: Callable[[], int] | None = None
    limit: int | None = None
    measured: int | None = None

    def close(self) -> None:
        """End the reading of rows that nobody wants any more."""
        _end(self.rows)


@dataclass(frozen=True, slots=True)
class Record:
    """One object that is shown."""

    values: Mapping[str, Any]
    exit: Exit | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The result of a write: its ``outcome``, the object after it, and the ``changes`` as field -> [before, after].

    ``noun`` and ``name`` make the human line. ``note`` is one more sentence for people.
    """

    outcome: str
    noun: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One target of a bulk command that was refused, and why."""

    name: str
    error: UsermgmtError


@dataclass(frozen=True, slots=True)
class Batch:
    """The results of a bulk command, one per target; ``quiet`` targets were tried, and nothing was to be done."""

    results: tuple[Change | Refusal, ...]
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """Accepted, and waiting for a second person: the request's number (exit 11)."""

    number: str
    noun: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Text that is itself the answer: a help page, a completion script, a verifier."""

    text: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes that are themselves the answer, streamed to standard output: an export."""

    chunks: Iterable[bytes]

    def close(self) -> None:
        """End the reading of chunks that nobody wants any more."""
        _end(self.chunks)


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a view: its ``label`` for tables (marked for translation), and the mask it is shown under."""

    name: str
    label: str
    mask: str = ""
    kind: str = "text"
    table: bool = True
    """Whether a table shows it without being asked for."""


@dataclass(frozen=True, slots=True)
class View:
    """Which columns a result has, in which order; ``key`` is what ``-o ids`` prints, as ``keyed`` writes it."""

    noun: str
    columns: tuple[Column, ...]
    key: str = "id"
    keyed: str = "{}"
    enums: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels of enum values in tables: field -> value -> marked label."""

    def column(self, name: str) -> Column | None:
        """Return the column called ``name``."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Every column's name."""
        return tuple(column.name for column in self.columns)
