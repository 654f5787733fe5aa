"""The operations of the language on values: whole numbers of 64 bits, texts by code point, times in milliseconds."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

from usermgmt.engines.rules.types import DOUBLE, HIGHEST, LOWEST, SAFE, TIMESTAMP, Failed, Type
from usermgmt.kernel.clock import to_text
from usermgmt.kernel.i18n import N_

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PYTHON = {"bool": bool, "int": int, "double": float, "string": str, "duration": int}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
FIRST = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
LAST = (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""The moments of CEL, in milliseconds since 1970."""
LONGEST_SPAN = 315_576_000_000_000
"""The durations that can be written in CEL (protobuf's), in milliseconds."""
WIDEST = ((1 << 63) - 1) // 1_000_000
"""The durations that its implementations compute, in nanoseconds of 64 bits: 292 years, here in milliseconds."""
# RFC 3339 section 5.6, as CEL takes it: with a zone, and T and Z in capitals
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.(\d+))?(?:Z|[+-]\d{2}:\d{2})", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)", re.ASCII)
_UNITS = {"h": Decimal(3_600_000), "m": Decimal(60_000), "s": Decimal(1000), "ms": Decimal(1)}
_UNITS |= {"us": Decimal("0.001"), "µs": Decimal("0.001"), "ns": Decimal("0.000001")}
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


def milliseconds(text: str) -> int:
    """Return a moment as stored, in milliseconds since 1970; raises ``ValueError`` where it is none."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


def moment(text: str) -> int:
    """Return ``timestamp(text)``; raises ``Failed``."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise Failed(N_("this is not a time"))
    if (match[1] or "")[3:].strip("0"):
        raise Failed(N_("times here are whole milliseconds"))
    try:
        found = milliseconds(text)
    except (ValueError, OverflowError):
        raise Failed(N_("this is not a time")) from None
    return _in(found, FIRST, LAST)


def span(text: str) -> int:
    """Return ``duration(text)``; raises ``Failed``."""
    sign = -1 if text[:1] == "-" else 1
    rest = text[text[:1] in ("-", "+") :]
    if rest == "0":
        return 0
    total, at = Decimal(0), 0
    while match := _PART.match(rest, at):
        if len(match[1]) > 24:
            break
        total += Decimal(match[1]) * _UNITS[match[2]]
        at = match.end()
    if not rest or at != len(rest):
        raise Failed(N_("this is not a duration"))
    if total != total.to_integral_value():
        raise Failed(N_("times here are whole milliseconds"))
    return _in(sign * int(total), -LONGEST_SPAN, LONGEST_SPAN)


def stored(milliseconds_: int) -> str:
    """Return a moment as it is stored."""
    return to_text(_EPOCH + milliseconds_ * _MILLISECOND)


def read(kind: Type, value: Any) -> Any:
    """Return a value of a record as expressions compute with it; raises ``TypeError``, ``ValueError`` for others."""
    if kind == TIMESTAMP:
        return milliseconds(value)
    if kind.item is not None:
        return tuple(value)
    if kind == DOUBLE and type(value) is int:
        return float(value)
    if type(value) is not _PYTHON[kind.name]:
        raise TypeError
    return value


def _in(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise Failed(N_("the result is out of range"))
    return value


def _whole(compute: Callable[..., int]) -> Callable[..., int]:
    return lambda *args: _in(compute(*args), LOWEST, HIGHEST)


def _divide(a: int, b: int) -> int:
    """Divide towards zero, as CEL and both engines do."""
    if b == 0:
        raise Failed(N_("division by zero"))
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    """Return what is left, with the sign of ``a``."""
    return a - _in(_divide(a, b), LOWEST, HIGHEST) * b


def _safe(value: int) -> int:
    if abs(value) > SAFE:
        raise Failed(N_("this number is too large for arithmetic"))
    return value


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "!": operator.not_,
    "+": _whole(operator.add),
    "-": _whole(operator.sub),
    "*": _whole(operator.mul),
    "/": _whole(_divide),
    "%": _whole(_remainder),
    "neg": _whole(operator.neg),
    "safe": _safe,
    "concat": operator.add,
    "later": lambda time, by: _in(time + by, FIRST, LAST),
    "earlier": lambda time, by: _in(time - by, FIRST, LAST),
    "between": lambda late, early: _in(late - early, -WIDEST, WIDEST),
    "span+": lambda a, b: _in(a + b, -WIDEST, WIDEST),
    "span-": lambda a, b: _in(a - b, -WIDEST, WIDEST),
    "one_of": lambda value, items: value in items,
    "in": lambda value, items: value in items,
    "size": len,
    "length": len,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
    "lowerAscii": lambda text: text.translate(_LOWER),
    "upperAscii": lambda text: text.translate(_UPPER),
    "timestamp": moment,
    "duration": span,
}
"""What each ``Apply`` computes; ``&&``, ``||``, ``?`` and ``has`` ask their operands themselves."""
