"""The front door: an expression read and checked once, then asked of records, or compiled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from usermgmt.engines.rules.check import check
from usermgmt.engines.rules.errors import BadExpression
from usermgmt.engines.rules.parser import parse
from usermgmt.engines.rules.predicate import predicate
from usermgmt.engines.rules.tree import asks_equality, refs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from usermgmt.engines.rules.schema import Schema
    from usermgmt.engines.rules.tree import Node
    from usermgmt.engines.rules.types import Unknown


@dataclass(frozen=True)
class Rule:
    """An expression that is true, false or unknown for a record."""

    source: str
    tree: Node

    @cached_property
    def _predicate(self) -> Any:
        return predicate(self.tree)

    def holds(self, record: Mapping[str, Any]) -> bool | Unknown:
        """Evaluate it for ``record``, whose values are as stored (times are canonical text)."""
        found: bool | Unknown = self._predicate(record)
        return found

    @property
    def condition(self) -> Any:
        """The SQL condition of the records for which it is true."""
        from usermgmt.engines.rules.sql import condition

        return condition(self.tree)

    @property
    def unknown(self) -> Any:
        """The SQL condition of the records for which it cannot be evaluated."""
        from usermgmt.engines.rules.sql import unknown

        return unknown(self.tree)

    @property
    def felt(self) -> list[str]:
        """The masked fields whose value one could feel one's way to by asking again and again."""
        asked = [(ref.field, apply) for ref, apply in refs(self.tree) if ref.field.masked]
        found = {
            field.name
            for field, apply in asked
            if not (apply is not None and apply.op == "has") and not (field.exact and asks_equality(apply))
        }
        return sorted(found)


def rule(source: str, schema: Schema, option: str) -> Rule:
    """Read an expression that came by ``option``.

    Raises ``BadSyntax``, ``UnknownName``, ``WrongType`` or ``TooLarge``, each with the place.
    """
    try:
        return Rule(source, check(source, parse(source), schema))
    except BadExpression as error:
        raise error.of(option) from None
