"""An expression whose names and types are known: the one tree that is asked of records and compiled to SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.engines.rules.schema import Field
    from usermgmt.engines.rules.types import Type

Reach = tuple[int, int] | None
"""Between which whole numbers a node lies, where that is known."""


@dataclass(frozen=True, slots=True)
class Const:
    """A value; times and durations are whole milliseconds, lists are tuples."""

    value: object
    type: Type
    at: int
    reach: Reach = None


@dataclass(frozen=True, slots=True)
class Broken:
    """An operation on values that has no result: ``reason`` says why."""

    reason: str
    type: Type
    at: int
    reach: Reach = None


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of a field; where a record has none, it is an error (unknown)."""

    field: Field
    at: int
    reach: Reach = None

    @property
    def type(self) -> Type:
        """The field's type."""
        return self.field.type


@dataclass(frozen=True, slots=True)
class Apply:
    """The operation ``op``, a key of the tables in ``values`` and ``sql``, on its operands."""

    op: str
    args: tuple[Node, ...]
    type: Type
    at: int
    reach: Reach = None


Node = Const | Broken | Ref | Apply


def refs(node: Node) -> Iterator[tuple[Ref, Apply | None]]:
    """Yield each mention of a field with the operation that it stands in; None: it stands alone."""
    if isinstance(node, Ref):
        yield node, None
    if isinstance(node, Apply):
        for arg in node.args:
            if isinstance(arg, Ref):
                yield arg, node
            else:
                yield from refs(arg)


def asks_equality(apply: Apply | None) -> bool:
    """Tell whether an operation asks no more of a field than whether its value is one that is written out."""
    if apply is None or apply.op not in ("==", "!=", "one_of"):
        return False
    return any(isinstance(arg, Const) for arg in apply.args)
