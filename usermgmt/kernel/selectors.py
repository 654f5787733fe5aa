"""Which rows a bulk command or a list means: filters that narrow each other, compiled to SQL on both engines.

The shared options are filters, and so is what ``--where`` asks: alternatives and negations are the expression's matter
(``engines.rules``), which comes here as one filter more.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.sql.elements import ColumnElement


@dataclass(frozen=True, slots=True)
class Compare:
    """``field`` stands in relation ``op`` (a key of ``_COMPARISONS``) to ``value``."""

    field: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds; an empty one holds for everything."""

    parts: tuple[Predicate, ...]


Predicate = Compare | And


def column(target: Any) -> Callable[[str, Any], ColumnElement[bool]]:
    """Return the compiler of comparisons with one column."""

    def compare(op: str, value: Any) -> ColumnElement[bool]:
        made: ColumnElement[bool] = _COMPARISONS[op](target, value)
        return made

    return compare


def starts_with(target: Any, prefix: str) -> ColumnElement[bool]:
    """Compare as a range, which an index answers; LIKE without a fitting collation scans."""
    if not prefix:
        return sa.true()
    end = _after(prefix)
    return sa.and_(target >= prefix, target < end) if end else target >= prefix


def _after(prefix: str) -> str:
    """Return the first text behind all that begin with ``prefix``, or an empty one where there is none."""
    kept = prefix.rstrip("\U0010ffff")
    # no text holds a surrogate
    return kept[:-1] + ("\ue000" if kept[-1] == "\ud7ff" else chr(ord(kept[-1]) + 1)) if kept else ""


def contains(target: Any, part: str) -> ColumnElement[bool]:
    """Find ``part`` anywhere; plain position, so that ``%`` and two Chinese characters mean themselves."""
    return position(target, part) > 0


def position(target: Any, part: Any) -> ColumnElement[int]:
    """Return where ``part`` begins in ``target``, from 1; 0 where it is not there. An empty one begins at 1."""
    return _Position(target, part)


class _Position(sa.sql.functions.GenericFunction[int]):
    """``instr`` on SQLite, ``strpos`` on PostgreSQL."""

    inherit_cache = True
    name = "instr"
    type = sa.INTEGER()


@compiles(_Position, "postgresql")
def _strpos(element: Any, compiler: Any, **options: Any) -> str:
    return f"strpos{compiler.process(element.clauses.self_group(), **options)}"


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda target, value: target.is_(None) if value is None else target == value,
    "!=": lambda target, value: target.is_not(None) if value is None else target != value,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda target, value: target.in_(value),
    "prefix": starts_with,
    "contains": contains,
}


def compile_predicate(
    tree: Predicate, fields: Mapping[str, Callable[[str, Any], ColumnElement[bool]]]
) -> ColumnElement[bool]:
    """Return the SQL condition of ``tree``; ``fields`` says what each field name compiles to.

    Raises ``KeyError`` for a field that ``fields`` does not know: front ends check names first.
    """
    match tree:
        case Compare(field, op, value):
            return fields[field](op, value)
        case And(parts):
            return sa.and_(sa.true(), *(compile_predicate(part, fields) for part in parts))
