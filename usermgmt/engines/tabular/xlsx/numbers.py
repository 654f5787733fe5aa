"""Numbers of cells as texts: without a point where they are whole, and as dates where their format shows one."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from enum import Enum

_WHOLE = re.compile(r"-?\d{1,15}")
_LONGEST = 1e15
"""A spreadsheet keeps 15 digits and writes zeros for the others."""
_DAY = 86_400_000
_LAST = 2_958_465  # 9999-12-31
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.')
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")


class Kind(Enum):
    """What the format of a number shows."""

    NUMBER = "number"
    DATE = "date"
    ELAPSED = "elapsed"


# ECMA-376 part 1, 18.8.30, with the East Asian ones
_BUILT_IN = {
    **dict.fromkeys([*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)], Kind.DATE),
    46: Kind.ELAPSED,
}


class Rounded(ValueError):
    """A number of so many digits that the last ones may be none of its own."""


def built_in(number: int) -> Kind:
    """Return what a format without a code shows."""
    return _BUILT_IN.get(number, Kind.NUMBER)


def kind_of(code: str) -> Kind:
    """Return what the format ``code`` shows, by its first section."""
    bare = _LITERAL.sub("", code).partition(";")[0]
    if _ELAPSED.search(bare):
        return Kind.ELAPSED
    return Kind.DATE if set("ymdhs") & set(_BRACKETS.sub("", bare).lower().replace("general", "")) else Kind.NUMBER


def number_text(text: str) -> str:
    """Return a number as a person would write it; raises ``ValueError``, and ``Rounded`` beyond 15 digits."""
    if _WHOLE.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    if abs(number) >= _LONGEST:
        raise Rounded
    return str(int(number)) if number.is_integer() else repr(number)


def date_text(text: str, kind: Kind, *, from_1904: bool) -> str:
    """Return the date, date and time, time or duration that a serial number means; raises ``ValueError``.

    Days are counted from 1899-12-31, with a 29 February 1900 that never was (ECMA-376 part 1, 18.17.4.1).
    """
    whole = round(float(text) * _DAY)
    days, rest = divmod(whole, _DAY)
    if whole <= 0 or days > _LAST:
        raise ValueError(text)
    if kind is Kind.ELAPSED:
        return _clock(whole)
    if days == 0 and not from_1904:
        return _clock(rest)
    if from_1904:
        epoch = datetime(1904, 1, 1, tzinfo=UTC)
    elif days == 60:
        raise ValueError(text)
    else:
        epoch = datetime(1899, 12, 30 if days > 60 else 31, tzinfo=UTC)
    day = (epoch + timedelta(days=days)).date().isoformat()
    return f"{day}T{_clock(rest)}" if rest else day


def _clock(milliseconds: int) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    return f"{text}.{fraction:03d}" if fraction else text
