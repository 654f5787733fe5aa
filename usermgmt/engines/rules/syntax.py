"""An expression as it is written, before its names and types are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usermgmt.engines.rules.types import Type


@dataclass(frozen=True, slots=True)
class Literal:
    """A value."""

    value: object
    type: Type
    at: int
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name; ``["key"]`` behind it is a part of it like ``.key``."""

    parts: tuple[str, ...]
    at: int
    depth: int = 1


@dataclass(frozen=True, slots=True)
class _Branch:
    """What has parts of its own; ``depth`` is how many stand in each other."""

    args: tuple[Syntax, ...]
    at: int
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max((arg.depth for arg in self.args), default=0))


class Items(_Branch):
    """A list of expressions."""


@dataclass(frozen=True, slots=True)
class Call(_Branch):
    """A function of ``args``; of a method the first one is what stands before the dot."""

    name: str
    method: bool = False


@dataclass(frozen=True, slots=True)
class Operation(_Branch):
    """An operator: ``&&`` and ``||`` of two or more operands, ``?`` of three, ``!`` and ``neg`` of one."""

    sign: str

    def __post_init__(self) -> None:
        _Branch.__post_init__(self)
        if self.sign == "?":
            object.__setattr__(self, "depth", self.depth + 1)


Syntax = Literal | Name | Items | Call | Operation
