"""What expressions are made of: types, limits, and what stands where a value should be and none can be had."""

from __future__ import annotations

from dataclasses import dataclass

from usermgmt.kernel.i18n import _

LONGEST = 50_000
"""Characters of an expression."""
NODES = 2_000
"""Operators, calls and values of an expression; those of a list of values are counted by ``ITEMS``."""
DEPTH = 24
"""How deep operators, calls and brackets may stand in each other (``?`` counts twice, since the parser of older SQLite
has a stack of a hundred); terms of ``&&`` and ``||`` stand side by side."""
ITEMS = 10_000
"""Values of all lists of an expression together."""
SAFE = 1 << 53
"""Arithmetic takes stored numbers of this size at most, which JSON and spreadsheets keep exactly too."""
LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
"""The whole numbers of CEL."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type of CEL; ``item`` is what a list holds."""

    name: str
    item: Type | None = None

    def __str__(self) -> str:
        return self.name if self.item is None else f"{self.name}({self.item})"


BOOL, INT, DOUBLE, STRING = Type("bool"), Type("int"), Type("double"), Type("string")
TIMESTAMP, DURATION, NULL = Type("timestamp"), Type("duration"), Type("null")
EMPTY_LIST = Type("list")
"""Of the list with nothing in it, which may stand for one of anything."""
MAP = Type("map")
"""Of a family of names, as ``external_ids``."""


def list_of(item: Type) -> Type:
    """Return the type of lists of ``item``."""
    return Type("list", item)


@dataclass(frozen=True, slots=True)
class Unknown:
    """What an expression is where it cannot be evaluated: a marked ``reason``, and where in the source that was found.

    ``name`` is the field that is to blame, if one is.
    """

    reason: str
    at: int
    name: str = ""

    def __str__(self) -> str:
        return _(self.reason).format(name=self.name)


class Failed(Exception):
    """An operation has no result for these values."""
