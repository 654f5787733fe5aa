"""JSON values, strictly RFC 8259: parsed from text that may still grow, and judged as records."""

from __future__ import annotations

import math
import re
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, NoReturn, cast

from usermgmt.engines.tabular.errors import (
    DuplicateKey,
    FieldTooLong,
    HalfSurrogate,
    HugeNumber,
    NotAnObject,
    RecordFault,
    TooDeep,
)
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.engines.tabular.types import Limits

_SPACE = " \t\n\r"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DIGITS = 300  # of an integer: what a double can count, and far below what int() refuses
# the longest thing of which a cut leaves an error before its own beginning: \uXXXX\uXXXX
_LOOKAHEAD = 12
_PROBLEMS = {
    "Expecting value": N_("a value is missing"),
    "Expecting property name enclosed in double quotes": N_("a key in double quotes is missing"),
    "Expecting ':' delimiter": N_("a colon is missing"),
    "Expecting ',' delimiter": N_("a comma is missing"),
    "Invalid control character at": N_("a control character stands in a string"),
    "Invalid \\escape": N_("an escape in a string is unknown"),
    "Invalid \\uXXXX escape": N_("an escape in a string is unknown"),
    "Unterminated string starting at": N_("a string is not closed"),
    "Extra data": N_("text follows the value"),
    "Constant": N_("NaN and Infinity are not JSON"),
}


class BadJson(Exception):
    """Text that is no JSON value at ``position``.

    ``cut`` tells that more text might make it one, ``ended`` that the text lacks nothing but its rest.
    """

    def __init__(self, message: str, position: int, *, cut: bool = False, ended: bool = False) -> None:
        super().__init__(message)
        self.position = position
        self.cut = cut
        self.ended = ended

    @property
    def problem(self) -> str:
        """What is wrong, in the language of this invocation."""
        name = str(self.args[0])
        found = next((text for start, text in _PROBLEMS.items() if name.startswith(start)), N_("it breaks the grammar"))
        return _(found)


class Bottomless(Exception):
    """A value nested more deeply than the parser can follow."""


class _Constant(Exception):
    """NaN or Infinity."""


class Scanner:
    """Parses values out of a text and tells which of them cannot be taken as records.

    The grammar is the standard library's less its extensions. orjson is faster by itself, but does not say where a
    value ends, and overlooks keys given twice and integers beyond 64 bits; with checks for these it gains little.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fault: RecordFault | None = None
        self._decode = JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        ).raw_decode

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) != len(pairs):
            keys = [key for key, _value in pairs]
            self._fault = DuplicateKey(key=next(key for key in keys if keys.count(key) > 1))
        return made

    def _integer(self, digits: str) -> int:
        if len(digits) <= _DIGITS:
            return int(digits)
        self._fault = HugeNumber(number=digits[:20] + "...")
        return 0

    def _float(self, digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            self._fault = HugeNumber(number=digits[:20])
        return number

    def _constant(self, _name: str) -> NoReturn:
        raise _Constant

    def value(self, text: str, start: int) -> tuple[object, int]:
        """Return the value that begins at ``start`` and where it ends; raises BadJson and Bottomless."""
        self._fault = None
        try:
            return cast("tuple[object, int]", self._decode(text, start))
        except JSONDecodeError as error:
            unclosed = error.msg.startswith("Unterminated")
            cut = unclosed or error.pos >= len(text) - _LOOKAHEAD
            ended = cut and (unclosed or not text[error.pos :].strip(_SPACE))
            raise BadJson(error.msg, error.pos, cut=cut, ended=ended) from error
        except _Constant as error:
            raise BadJson("Constant", start) from error
        except RecursionError as error:
            raise Bottomless from error

    def whole(self, text: str) -> object:
        """Return the one value that ``text`` is; raises BadJson and Bottomless."""
        start = len(text) - len(text.lstrip(_SPACE))
        value, end = self.value(text, start)
        if text[end:].strip(_SPACE):
            raise BadJson("Extra data", end)
        return value

    def fault(self, value: object, text: str) -> RecordFault | None:
        """Say why ``value``, just parsed from ``text``, is no record, or return None."""
        if self._fault is not None:
            return self._fault
        if not isinstance(value, dict):
            return NotAnObject()
        # "in" first: it costs a tenth of count()
        nested = "[" in text or "{" in text[1:]
        deep = nested and text.count("[") + text.count("{") > self._limits.depth
        if deep or len(text) > self._limits.field or ("\\" in text and "\\u" in text):
            return self._look_into(value, bool(_SURROGATE.search(text)))
        return None

    def _look_into(self, record: dict[str, object], surrogates: bool) -> RecordFault | None:
        for depth, field, value in _walk(record):
            if depth > self._limits.depth:
                return TooDeep(limit=self._limits.depth)
            if isinstance(value, str):
                if len(value) > self._limits.field:
                    return FieldTooLong(field=field, limit=self._limits.field)
                if surrogates and any("\ud800" <= char < "\ue000" for char in value):
                    return HalfSurrogate()
        return None


def _walk(record: dict[str, object]) -> Iterator[tuple[int, str, object]]:
    """Yield depth, top-level field and value of everything in ``record``, keys included."""
    waiting: list[tuple[int, str, object]] = [(1, key, value) for key, value in record.items()]
    yield from ((1, key[:40], key) for key in record)
    while waiting:
        depth, field, value = waiting.pop()
        yield depth + isinstance(value, dict | list), field, value
        if isinstance(value, dict):
            yield from ((depth, field, key) for key in value)
            waiting += [(depth + 1, field, inner) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(depth + 1, field, inner) for inner in value]
