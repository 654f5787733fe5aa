"""Which operations there are on which types: CEL's, without those between whole numbers and fractions."""

from __future__ import annotations

from typing import NamedTuple

from usermgmt.engines.rules.types import BOOL, DOUBLE, DURATION, INT, NULL, STRING, TIMESTAMP, Type


class Overload(NamedTuple):
    """An operation ``op`` (of ``values.OPERATIONS``) that takes these types, and what it returns."""

    takes: tuple[Type, ...]
    returns: Type
    op: str


_ORDERED = (INT, DOUBLE, STRING, TIMESTAMP, DURATION)
_EQUAL = (*_ORDERED, BOOL, NULL)


def _same(types: tuple[Type, ...], sign: str) -> tuple[Overload, ...]:
    return tuple(Overload((one, one), BOOL, sign) for one in types)


def _whole(sign: str) -> Overload:
    return Overload((INT, INT), INT, sign)


OPERATORS: dict[str, tuple[Overload, ...]] = {
    "==": _same(_EQUAL, "=="),
    "!=": _same(_EQUAL, "!="),
    **{sign: _same(_ORDERED, sign) for sign in ("<", "<=", ">", ">=")},
    "!": (Overload((BOOL,), BOOL, "!"),),
    "neg": (Overload((INT,), INT, "neg"),),
    "+": (
        _whole("+"),
        Overload((STRING, STRING), STRING, "concat"),
        Overload((TIMESTAMP, DURATION), TIMESTAMP, "later"),
        Overload((DURATION, TIMESTAMP), TIMESTAMP, "later"),
        Overload((DURATION, DURATION), DURATION, "span+"),
    ),
    "-": (
        _whole("-"),
        Overload((TIMESTAMP, DURATION), TIMESTAMP, "earlier"),
        Overload((TIMESTAMP, TIMESTAMP), DURATION, "between"),
        Overload((DURATION, DURATION), DURATION, "span-"),
    ),
    **{sign: (_whole(sign),) for sign in ("*", "/", "%")},
}
FUNCTIONS: dict[str, tuple[Overload, ...]] = {
    "size": (Overload((STRING,), INT, "length"),),
    "timestamp": (Overload((STRING,), TIMESTAMP, "timestamp"), Overload((TIMESTAMP,), TIMESTAMP, "")),
    "duration": (Overload((STRING,), DURATION, "duration"), Overload((DURATION,), DURATION, "")),
}
METHODS: dict[str, tuple[Overload, ...]] = {
    "size": FUNCTIONS["size"],
    **{name: (Overload((STRING, STRING), BOOL, name),) for name in ("startsWith", "endsWith", "contains")},
    **{name: (Overload((STRING,), STRING, name),) for name in ("lowerAscii", "upperAscii")},
}
"""Called behind a dot; the first type is of what stands before it."""
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "neg"})
TIMES = frozenset({"later", "earlier", "between", "span+", "span-"})
