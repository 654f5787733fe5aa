"""Values of the command line turned into what parameters are declared as, without the tenth of a second of pydantic.

Typer 0.29 parses every parameter through it. Ours are texts, flags, whole numbers, enums and lists of these.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, get_args, get_origin

from typer._click.exceptions import BadParameter
from typer._coercion import RuntimeParam

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


class Plain(RuntimeParam):
    """Coercion to ``str``, ``bool``, ``int``, an enum, or a list of one of these."""

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
        kind: Any = self.annotation
        if get_origin(kind) is list:
            inner = get_args(kind)[0]
            return [self._one(inner, item, param, ctx) for item in value]
        return self._one(kind, value, param, ctx)

    def _one(self, kind: Any, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, kind):
            return value
        try:
            if issubclass(kind, Enum):
                return self._choice(kind, value)
            return self._number(value) if kind is int else kind(value)
        except ValueError as error:
            raise BadParameter(str(error), ctx=ctx, param=param) from None

    def _choice(self, kind: type[Enum], value: str) -> Enum:
        for member in kind:
            same = member.value == value if self.parameter_info.case_sensitive else member.value == value.casefold()
            if same:
                return member
        raise ValueError

    def _number(self, value: str) -> int:
        if not _NUMBER.fullmatch(value):
            raise ValueError
        number = int(value)
        low, high = self.parameter_info.min, self.parameter_info.max
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError
        return number


def lighten(parameters: Iterable[Any]) -> None:
    """Let ``parameters`` of plain types be coerced by ``Plain``; others stay with Typer."""
    for parameter in parameters:
        descriptor = parameter.type_descriptor
        kind = descriptor.annotation
        inner = get_args(kind)[0] if get_origin(kind) is list else kind
        if isinstance(inner, type) and (inner in (str, bool, int) or issubclass(inner, Enum)):
            parameter._runtime_param = Plain(descriptor.parameter_info, kind)  # noqa: SLF001 - pinned, and only here
