"""YAML output: block style, every string quoted as JSON quotes it, so that no reader takes ``no`` or ``2026-01-01`` for
something else (YAML 1.2.2; the quoted style of section 7.3.1 takes JSON's escapes).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel.text import UNSAFE_IN_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_PLAIN_KEY = re.compile(r"[a-z][a-z0-9_]+")
# YAML 1.1 readers take these for booleans and null
_NOT_PLAIN = frozenset({"no", "off", "on", "yes", "false", "true", "null"})
# JSON lets through what a terminal obeys, and YAML's printable set (section 5.1) leaves out two more
_ESCAPED = re.compile(f"{UNSAFE_IN_JSON.pattern[:-1]}\ufffe\uffff]")
_STEP = "  "


def sequence(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a list of objects, one object at a time."""
    empty = True
    for item in items:
        empty = False
        yield from _item(item, "")
    if empty:
        yield "[]"


def mapping(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield the lines of one object."""
    if not values and not indent:
        yield "{}"
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{_key(name)}:"
            yield from mapping(value, indent + _STEP)
        elif isinstance(value, list | tuple) and value:
            yield f"{indent}{_key(name)}:"
            for item in value:
                yield from _item(item, indent)
        else:
            yield f"{indent}{_key(name)}: {_scalar(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    if not value or not isinstance(value, dict | list | tuple):
        yield f"{indent}- {_scalar(value)}"
        return
    inner = indent + _STEP
    lines = mapping(value, inner) if isinstance(value, dict) else (line for one in value for line in _item(one, inner))
    first = next(lines)
    yield f"{indent}- {first[len(inner) :]}"
    yield from lines


def _key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) and name not in _NOT_PLAIN else _scalar(name)


def _scalar(value: Any) -> str:
    text = orjson.dumps(value).decode()
    if isinstance(value, float) and "." not in text:
        # 1e16: YAML 1.1 takes a number without a point for a text
        return text.replace("e", ".0e")
    return text if text.isascii() and "\x7f" not in text else _ESCAPED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
