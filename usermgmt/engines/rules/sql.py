"""Expressions compiled to conditions: the same rows on both engines as ``predicate`` finds one by one.

What cannot be evaluated is NULL, so that SQL's logic of three values is CEL's. Nothing that is compiled can fail in an
engine: numbers are bounded beforehand (``check``), divisors are never 0, and constants are computed already. No operand
but a field is written twice, so that the text grows with the expression and not with a power of its depth.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from usermgmt.engines.rules import values
from usermgmt.engines.rules.tree import Apply, Broken, Const, Ref
from usermgmt.engines.rules.types import BOOL, INT, SAFE, TIMESTAMP
from usermgmt.kernel.columns import Text, UtcDateTime
from usermgmt.kernel.selectors import contains, position, starts_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from usermgmt.engines.rules.tree import Node
    from usermgmt.engines.rules.types import Type

_TYPES: dict[str, Any] = {
    "bool": sa.Boolean(),
    "int": sa.BigInteger(),
    "double": sa.Double(),
    "string": Text(),
    "timestamp": UtcDateTime(),
    "duration": sa.BigInteger(),
}
_GROUP = 32
"""Terms that stand side by side: SQLite counts each as one level, and takes a thousand."""
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_END = "\x01"
"""A character that no stored text holds."""


def condition(node: Node) -> Any:
    """Return the condition that is true for the records for which ``node`` is; where that is unknown it may be false.

    With what ``Field.narrow`` knows, so that indexes are used.
    """
    if isinstance(node, Apply) and node.op in ("&&", "||"):
        return _join(node.op, [condition(arg) for arg in node.args])
    made = expression(node)
    narrowed = _narrowed(node)
    return made if narrowed is None else sa.and_(narrowed, made)


def unknown(node: Node) -> Any:
    """Return the condition that is true for the records for which ``node`` cannot be evaluated."""
    return sa.sql.elements.Grouping(expression(node)).is_(sa.null())


def _narrowed(node: Node) -> Any:
    if not isinstance(node, Apply) or node.op not in ("==", "startsWith", "one_of"):
        return None
    of, value = node.args
    if isinstance(of, Const) and node.op == "==":
        of, value = value, of
    if not isinstance(of, Ref) or not isinstance(value, Const) or of.field.narrow is None:
        return None
    return of.field.narrow(node.op, value.value)


def expression(node: Node) -> Any:
    """Return the SQL of ``node``, NULL where it cannot be evaluated."""
    match node:
        case Const(value, kind):
            return _constant(value, kind)
        case Broken(_reason, kind):
            return _null(kind)
        case Ref(field):
            assert field.sql is not None, f"{field.name} has no SQL"
            return field.sql("value", None)
    if node.op in _COMPARISONS:
        return _compared(node)
    return _OPERATIONS[node.op](node)


def _constant(value: Any, kind: Type) -> Any:
    if kind == BOOL:
        return sa.true() if value else sa.false()
    if kind == TIMESTAMP:
        value = values.stored(value)
    return sa.literal(value, _TYPES[kind.name])


def _null(kind: Type) -> Any:
    return sa.cast(sa.null(), _TYPES[kind.name])


def _grouped(node: Node) -> Any:
    made = expression(node)
    plain = isinstance(node, Const) or isinstance(made, sa.ColumnClause)
    # engines group comparisons of comparisons differently, or not at all
    return made if plain else sa.sql.elements.Grouping(made)


# -- what is true or false -----------------------------------------------------------------------------------------


class _Brackets(sa.sql.functions.GenericFunction[Any]):
    """A condition in brackets that SQLAlchemy does not take away."""

    inherit_cache = True
    name = "brackets"
    # as a Boolean it would be compared with 1 on SQLite, and no index be used
    type = sa.types.NullType()


@compiles(_Brackets)
def _bracketed(element: Any, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


def _join(sign: str, parts: list[Any]) -> Any:
    joined = sa.or_ if sign == "||" else sa.and_
    while len(parts) > _GROUP:
        chunks = [parts[i : i + _GROUP] for i in range(0, len(parts), _GROUP)]
        parts = [_Brackets(joined(*chunk)) for chunk in chunks]
    return joined(*parts)


def _joined(node: Apply) -> Any:
    return _join(node.op, [expression(arg) for arg in node.args])


def _not(node: Apply) -> Any:
    return sa.not_(sa.sql.elements.Grouping(expression(node.args[0])))


def _compared(node: Apply) -> Any:
    left, right = node.args
    compare = _COMPARISONS[node.op]
    if left.type == TIMESTAMP and not (_native(left) and _native(right)):
        return compare(_number(left), _number(right))
    return compare(_grouped(left), _grouped(right))


def _native(node: Node) -> bool:
    """Tell whether a time is a column's or a parameter's, and not computed in milliseconds."""
    if isinstance(node, Apply):
        return node.op == "?" and all(_native(arg) for arg in node.args[1:])
    return True


def _has(node: Apply) -> Any:
    return expression(node.args[0]).is_not(None)


def _either(node: Apply) -> Any:
    return _chosen(node, _number if node.type == TIMESTAMP and not _native(node) else expression)


def _chosen(node: Apply, give: Callable[[Node], Any]) -> Any:
    asked, yes, no = node.args
    return sa.case((sa.true(), give(yes)), (sa.false(), give(no)), value=_grouped(asked))


def _one_of(node: Apply) -> Any:
    item, items = node.args
    assert isinstance(items, Const)
    assert isinstance(items.value, tuple)
    if not items.value:
        # false for a value, unknown for none
        return sa.case((expression(item).is_not(None), sa.false()))
    if item.type == TIMESTAMP and not _native(item):
        return _number(item).in_([_constant(one, INT) for one in items.value])
    return _grouped(item).in_([_constant(one, item.type) for one in items.value])


def _in(node: Apply) -> Any:
    item, items = node.args
    assert isinstance(items, Ref)
    assert items.field.sql is not None
    found = items.field.sql("in", expression(item))
    return found if isinstance(item, Const) else sa.case((expression(item).is_not(None), found))


# -- texts ---------------------------------------------------------------------------------------------------------


def _starts_with(node: Apply) -> Any:
    text, part = node.args
    if isinstance(text, Ref) and isinstance(part, Const) and part.value:
        return starts_with(expression(text), str(part.value))
    return position(expression(text), expression(part)) == 1


def _ends_with(node: Apply) -> Any:
    text, part = (expression(arg).concat(sa.literal(_END, Text())) for arg in node.args)
    return contains(text, part)


def _contains(node: Apply) -> Any:
    text, part = node.args
    return contains(expression(text), expression(part))


def _concat(node: Apply) -> Any:
    left, right = node.args
    return sa.type_coerce(_grouped(left).concat(_grouped(right)), Text())


def _case(function: Any, node: Apply) -> Any:
    return function(expression(node.args[0]), type_=Text())


def _length(node: Apply) -> Any:
    return sa.cast(sa.func.length(expression(node.args[0])), sa.BigInteger())


def _size(node: Apply) -> Any:
    items = node.args[0]
    assert isinstance(items, Ref)
    assert items.field.sql is not None
    return items.field.sql("size", None)


# -- numbers -------------------------------------------------------------------------------------------------------


def _safe(node: Apply) -> Any:
    return _within(expression(node.args[0]), -SAFE, SAFE)


def _calculated(compute: Callable[[Any, Any], Any], node: Apply) -> Any:
    left, right = node.args
    return compute(_grouped(left), _grouped(right))


def _divisor(node: Node) -> Any:
    return _grouped(node) if isinstance(node, Const) else sa.func.nullif(expression(node), _constant(0, INT))


def _divided(node: Apply) -> Any:
    left, right = node.args
    # SQLAlchemy's own operator would make a fraction of it
    return _grouped(left).op("/", return_type=sa.BigInteger())(_divisor(right))


def _remainder(node: Apply) -> Any:
    left, right = node.args
    return _grouped(left) % _divisor(right)


def _negated(node: Apply) -> Any:
    return _constant(0, INT) - _grouped(node.args[0])


# -- times ---------------------------------------------------------------------------------------------------------


class _Milliseconds(sa.sql.functions.GenericFunction[int]):
    """A moment in milliseconds since 1970."""

    inherit_cache = True
    name = "milliseconds"
    type = sa.BigInteger()


@compiles(_Milliseconds)
def _of_text(element: Any, compiler: Any, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(CAST(strftime('%s', {text}) AS INTEGER) * 1000 + CAST(substr({text}, 21, 3) AS INTEGER))"


@compiles(_Milliseconds, "postgresql")
def _of_time(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(extract(epoch FROM {compiler.process(element.clauses, **options)}) * 1000 AS BIGINT)"


def _number(node: Node) -> Any:
    """Return a time in milliseconds."""
    if isinstance(node, Const):
        return _constant(node.value, INT)
    if isinstance(node, Broken):
        return _null(INT)
    if isinstance(node, Apply) and node.op == "?":
        return _chosen(node, _number)
    return _Milliseconds(expression(node)) if isinstance(node, Ref) else expression(node)


def _within(number: Any, low: int, high: int) -> Any:
    """Return ``number``, made of fields and values, where it is not out of range."""
    return sa.case((number.between(_constant(low, INT), _constant(high, INT)), number))


def _shifted(compute: Callable[[Any, Any], Any], node: Apply) -> Any:
    time, by = node.args
    return _within(compute(_number(time), expression(by)), values.FIRST, values.LAST)


def _between(node: Apply) -> Any:
    late, early = node.args
    return _within(_number(late) - _number(early), -values.WIDEST, values.WIDEST)


_OPERATIONS: dict[str, Callable[[Apply], Any]] = {
    "&&": _joined,
    "||": _joined,
    "!": _not,
    "?": _either,
    "has": _has,
    "one_of": _one_of,
    "in": _in,
    "startsWith": _starts_with,
    "endsWith": _ends_with,
    "contains": _contains,
    "concat": _concat,
    "lowerAscii": partial(_case, sa.func.lower),
    "upperAscii": partial(_case, sa.func.upper),
    "length": _length,
    "size": _size,
    "safe": _safe,
    "+": partial(_calculated, operator.add),
    "-": partial(_calculated, operator.sub),
    "*": partial(_calculated, operator.mul),
    "/": _divided,
    "%": _remainder,
    "neg": _negated,
    "later": partial(_shifted, operator.add),
    "earlier": partial(_shifted, operator.sub),
    "between": _between,
}
