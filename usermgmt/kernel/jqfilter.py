"""``--jq``: real jq over what a command returned."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.i18n import N_, _, retold
from usermgmt.kernel.signals import deadly
from usermgmt.kernel.text import json_neutral, neutral

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_END = object()

# jq's grammar has these at the head of a program only. They read files, and whoever calls through sudo must not choose
# which files the store's account reads.
_READS_FILES = re.compile(r"(?:\s|#[^\r\n]*+)*+(?:import|include|module)\b")


_PLACE = r" at <top-level>, line (?P<line>\d+), column (?P<column>\d+):?"
_SAID = (
    (r"syntax error, unexpected end of file" + _PLACE, N_("line {line}, column {column}: it ends too early")),
    (r"syntax error, .*" + _PLACE, N_("line {line}, column {column}: this is not the syntax of jq")),
    (r"(?P<name>\S+) is not defined" + _PLACE, N_("line {line}, column {column}: {name} is not defined")),
    (r"Cannot index (?P<kind>\w+) with (?P<what>.+)", N_("{kind} cannot be indexed with {what}")),
    (r"Cannot iterate over (?P<what>.+)", N_("{what} cannot be iterated over")),
    (r"(?P<one>.+) and (?P<other>.+) cannot be (?:added|subtracted|multiplied|divided)",
     N_("{one} and {other} cannot be calculated with")),
    (r"(?P<one>.+) and (?P<other>.+) cannot be divided because the divisor is zero", N_("{one} is divided by zero")),
    (r"(?P<what>.+) cannot be parsed as a number", N_("{what} is not a number")),
    (r"(?P<what>.+) has no keys", N_("{what} has no keys")),
    (r"(?P<what>.+) has no length", N_("{what} has no length")),
    (r"(?P<what>.+) is not a valid format", N_("there is no format {what}")),
)  # fmt: skip
"""What jq says most often."""

# The environment of the store's account may hold its secrets, and is none of a sudo'd caller's. jq binds it by itself.
_READS_ENVIRONMENT = re.compile(r"\b(?:ENV|env)\b")


class BadFilter(UsageProblem):
    """--jq: {problem}"""

    code = "usage.jq"
    hint = N_("the language is jq's: https://jqlang.org/manual")


def _program(expression: str, *, narrow: bool) -> Any:
    import jq

    if _READS_FILES.match(expression):
        raise BadFilter(problem=_("a filter cannot import modules"), hint="")
    if narrow and _READS_ENVIRONMENT.search(expression):
        raise BadFilter(problem=_("a filter cannot read the environment in a call through sudo"), hint="")
    try:
        return jq.compile(expression)
    except (ValueError, UnicodeEncodeError) as error:
        raise _refused(error) from None


def _refused(error: Exception) -> BadFilter:
    first = next(iter(str(error).splitlines()), "")
    return BadFilter(problem=retold(first.removeprefix("jq: error: "), _SAID) or _("it failed"))


def run(expression: str, items: Iterable[dict[str, Any]], *, narrow: bool = False) -> Iterator[str]:
    """Yield the lines of ``expression`` over a list; one that starts with ``.[]`` runs element by element.

    ``narrow`` is for calls through sudo: the filter sees nothing but the data.

    Raises ``BadFilter`` for a program that jq refuses, or that fails on the data.
    """
    program = _program(expression, narrow=narrow)
    if expression.lstrip().startswith(".[]"):
        return chain.from_iterable(_lines(program, [item]) for item in items)
    return _lines(program, list(items))


def run_one(expression: str, item: dict[str, Any], *, narrow: bool = False) -> Iterator[str]:
    """Yield the lines of ``expression`` over one object; as ``run``."""
    return _lines(_program(expression, narrow=narrow), item)


def _results(program: Any, text: str) -> Iterator[Any]:
    """Yield what a filter makes of ``text``; one that never ends can be ended (``def f: f; f``)."""
    results = iter(program.input_text(text))
    while True:
        with deadly():
            result = next(results, _END)
        if result is _END:
            return
        yield result


def _lines(program: Any, value: Any) -> Iterator[str]:
    try:
        for result in _results(program, orjson.dumps(value).decode()):
            if isinstance(result, str):
                # raw, as promised, but never what a terminal obeys; line breaks and tabs are data
                yield "\n".join("\t".join(map(neutral, line.split("\t"))) for line in result.split("\n"))
            else:
                # not orjson: jq counts beyond 64 bits
                yield json_neutral(json.dumps(result, ensure_ascii=False, separators=(",", ":")))
    except ValueError as error:
        raise _refused(error) from None
