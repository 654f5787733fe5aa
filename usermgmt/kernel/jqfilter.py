"""``--jq``: real jq over what a command returned."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.i18n import _
from usermgmt.kernel.text import json_neutral, neutral

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _program(expression: str) -> Any:
    import jq

    try:
        return jq.compile(expression)
    except ValueError as error:
        raise UsageProblem(
            problem=_("--jq: {problem}").format(problem=neutral(str(error).splitlines()[0])), hint=""
        ) from None


def run(expression: str, items: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of ``expression`` over a list; one that starts with ``.[]`` runs element by element.

    Raises ``UsageProblem`` for a program that jq refuses, or that fails on the data.
    """
    program = _program(expression)
    if expression.lstrip().startswith(".[]"):
        return chain.from_iterable(_lines(program, [item]) for item in items)
    return _lines(program, list(items))


def run_one(expression: str, item: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of ``expression`` over one object."""
    return _lines(_program(expression), item)


def _lines(program: Any, value: Any) -> Iterator[str]:
    try:
        for result in program.input_text(orjson.dumps(value).decode()):
            if isinstance(result, str):
                # raw, as promised, but never what a terminal obeys; line breaks and tabs are data
                yield "\n".join("\t".join(map(neutral, line.split("\t"))) for line in result.split("\n"))
            else:
                yield json_neutral(orjson.dumps(result).decode())
    except ValueError as error:
        raise UsageProblem(
            problem=_("--jq: {problem}").format(problem=neutral(str(error).splitlines()[0])), hint=""
        ) from None
