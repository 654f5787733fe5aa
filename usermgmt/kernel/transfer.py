"""What stands between ``import`` and ``export`` and the domains whose records they move: the types both sides know.

A domain names its importers and exporters in ``declares.py`` (``registry.Declaration``), by noun; ``import_`` and
``export`` find them here and know nothing else of the domain.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from usermgmt.kernel import registry

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.errors import UsermgmtError
    from usermgmt.kernel.selectors import Predicate

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
SKIPPED, REJECTED, IGNORED = "skipped", "rejected", "ignored"
OUTCOMES = (CREATED, UPDATED, UNCHANGED, SKIPPED, REJECTED, IGNORED)
"""What can become of a record; every record that was read has exactly one of them."""

DROPPED, REPORTED = "dropped", "reported"
"""What a finding can say of a record that was not refused: a field was left out, or somebody should look at it."""


@dataclass(frozen=True, slots=True)
class Handling:
    """What the caller wants done about records.

    ``if_exists`` is ``fail``, ``skip`` or ``update``; with ``clears`` an empty cell clears its field; with ``drops`` a
    bad optional field is left out and its record taken.
    """

    if_exists: str = "fail"
    clears: bool = False
    drops: bool = False
    allow_confusable: bool = False


@dataclass(slots=True)
class Chunk:
    """Some records, column by column: ``cells[field][i]`` is what record ``i`` has there, empty text and None nothing.

    Texts come from delimited files; from JSON also numbers, lists and objects.
    """

    lines: list[int]
    cells: dict[str, Sequence[object]]


class Finding(NamedTuple):
    """What is to be told about the record ``row`` of a chunk: ``rejected``, ``dropped`` or ``reported``, and why."""

    row: int
    outcome: str
    error: UsermgmtError


@dataclass(slots=True)
class Written:
    """What became of some records of a chunk; ``refused`` says that a record was, where the caller wants to stop."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    refused: bool = False


class Session(Protocol):
    """One run of an import, as the domain of its records sees it."""

    def read(self, chunk: Chunk) -> object:
        """Check everything about the records that needs no store; outside of any transaction."""

    def write(self, checked: object, start: int, stop: int, *, halt: bool) -> Written:
        """Write the records ``start`` to ``stop`` of what ``read`` returned, in the running transaction.

        ``halt`` ends it at the first refused record, which counts as one.
        """


class Importer(Protocol):
    """A noun that ``import`` knows."""

    fields: Sequence[str]
    """Fields that a record can have."""
    keyed: frozenset[str]
    """Those that a map may name with a key, as ``external_ids.hr``: the column is then one item of them."""
    lists: frozenset[str]
    """Those that are lists of texts."""
    words: Mapping[str, Mapping[str, str]]
    """What files of other systems say for a field's values: field -> word in lower case -> value."""
    passive: frozenset[str]
    """Columns that are known and take no part: those of other domains, and the store's own numbers."""
    guesses: Mapping[str, str]
    """Headers of other systems, case-folded with ``_`` for blanks and hyphens -> field."""

    def begin(self, ctx: Context, handling: Handling) -> Session:
        """Begin a run; raises where the caller may not do that."""


class Exporter(Protocol):
    """A noun that ``export`` knows; everything is read from the running snapshot, in order of id."""

    columns: Sequence[str]

    def count(self, ctx: Context, where: Predicate) -> int:
        """Return how many records ``where`` holds for."""

    def rows(self, ctx: Context, where: Predicate) -> Generator[Sequence[object]]:
        """Yield them as cells of a delimited file, in the order of ``columns``."""

    def objects(self, ctx: Context, where: Predicate) -> Generator[list[str]]:
        """Yield them as JSON objects with the keys ``columns``, many at a time."""


def importer(noun: str) -> Importer:
    """Return the importer of ``noun``; raises ``KeyError``."""
    found = {name: dotted for one in registry.declarations() for name, dotted in one.importers.items()}
    return cast("Importer", registry.resolve(found[noun]))


def exporter(noun: str) -> Exporter:
    """Return the exporter of ``noun``; raises ``KeyError``."""
    found = {name: dotted for one in registry.declarations() for name, dotted in one.exporters.items()}
    return cast("Exporter", registry.resolve(found[noun]))
