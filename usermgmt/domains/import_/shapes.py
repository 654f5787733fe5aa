"""How fields are made of columns: one column through steps, several in a template, or the first that says anything."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_.errors import TransformFailed
from usermgmt.domains.import_.transforms import Refused
from usermgmt.domains.import_.types import Aside
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from usermgmt.domains.import_.transforms import Steps
    from usermgmt.domains.import_.types import Piece

Template = tuple[tuple[str, str], ...]
"""Texts, each with the column that follows it; none at the end."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One entry of a map that does something: where values come from, what becomes of them, which fields they are.

    Without a ``template`` the value is that of the first of ``sources`` that says anything.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    steps: Steps
    template: Template = ()
    parted: bool = False
    """Whether each target is one part of what the steps make, and not the whole."""
    empty: bool = False
    """Whether an empty value goes through the steps as well."""


@dataclass(slots=True)
class Shaping:
    """All shapes of a map, and the values by which a record is left out: column -> values."""

    shapes: list[Shape] = field(default_factory=list)
    skips: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def columns(self) -> set[str]:
        """The columns that take part in it."""
        return {name for shape in self.shapes for name in shape.sources} | set(self.skips)

    def apply(self, piece: Piece, by_header: Mapping[str, Sequence[Any]]) -> None:
        """Add the fields to ``piece``; records that are refused or left out are taken out of it."""
        skipped = {
            row
            for header, values in self.skips.items()
            for row, value in enumerate(by_header.get(header, ()))
            if _plain(value) in values
        }
        refused: dict[int, TransformFailed] = {}
        for shape in self.shapes:
            made = _Making(shape, refused).column(by_header, piece.count, skipped)
            for n, target in enumerate(shape.targets):
                piece.chunk.cells[target] = [one[n] if shape.parted and one else one for one in made]
        if skipped or refused:
            _take_out(piece, skipped, refused)


def _plain(value: Any) -> str:
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)


class _Making:
    """Makes the values of one shape; what a step refuses, refuses the record."""

    def __init__(self, shape: Shape, refused: dict[int, TransformFailed]) -> None:
        self._shape = shape
        self._refused = refused

    def column(self, by_header: Mapping[str, Sequence[Any]], count: int, skipped: set[int]) -> list[Any]:
        sources = [by_header.get(name) or [None] * count for name in self._shape.sources]
        made: list[Any] = []
        for row, values in enumerate(zip(*sources, strict=True)):
            value = None
            if row not in skipped and row not in self._refused:
                try:
                    value = self._one(values)
                except Refused as error:
                    names = ", ".join(dict.fromkeys(self._shape.sources))
                    self._refused[row] = TransformFailed(column=names, problem=str(error))
            made.append(value)
        return made

    def _one(self, values: tuple[Any, ...]) -> Any:
        shape = self._shape
        value = self._filled(values) if shape.template else next((one for one in values if _plain(one)), values[0])
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is None or (value == "" and not shape.empty):
            return value
        if not isinstance(value, str):
            raise Refused(_("it is not a text"))
        return shape.steps(value)

    def _filled(self, values: tuple[Any, ...]) -> str:
        found = dict(zip(self._shape.sources, values, strict=True))
        if not any(map(_plain, values)):
            return ""
        if lacking := [name for name, value in found.items() if not _plain(value)]:
            raise Refused(_("{name} is empty, and the template needs it").format(name=lacking[0]))
        return "".join(text + (_plain(found[name]) if name else "") for text, name in self._shape.template)


def _take_out(piece: Piece, skipped: set[int], refused: Mapping[int, TransformFailed]) -> None:
    kept = [row for row in range(piece.count) if row not in skipped and row not in refused]
    lines, raw = piece.chunk.lines, piece.raw
    asides = list(piece.asides)
    for one in asides:
        one.position = bisect_left(kept, one.position)
    asides += [Aside(bisect_left(kept, row), lines[row], error, raw[row]) for row, error in refused.items()]
    asides += [Aside(bisect_left(kept, row), lines[row]) for row in skipped]
    piece.asides = deque(sorted(asides, key=lambda one: (one.position, one.line)))
    piece.chunk.lines = [lines[row] for row in kept]
    piece.raw = [raw[row] for row in kept]
    cells = piece.chunk.cells
    for name, values in cells.items():
        cells[name] = [values[row] for row in kept]
