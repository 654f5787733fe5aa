"""Cuts a table into pieces: records as columns of fields, few enough for memory and for one transaction."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_.errors import UnknownKey
from usermgmt.domains.import_.types import Aside, Piece
from usermgmt.engines.tabular.errors import FileFault
from usermgmt.engines.tabular.types import BadRecord
from usermgmt.kernel.transfer import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.domains.import_.mapping import Resolver
    from usermgmt.engines.tabular.reading import Table

MOST = 5000
"""Records of a piece, which is what a run holds in memory."""
_BYTES = 8 << 20
"""How much of the file one piece holds at most, but for the records of one look."""
_LOOK = 50
"""Records that are taken between two looks at how much that was."""


class Pieces:
    """The pieces of one table, each of at most ``size`` records."""

    def __init__(self, table: Table, resolver: Resolver, size: int) -> None:
        """Look at the header, where there is one; raises what ``Resolver.header`` raises."""
        self._table = table
        self._resolver = resolver
        self._size = size
        self._items: Iterator[Any] = table.rows() if table.columns else table.records()
        self._begun = False
        if table.columns:
            resolver.header(table.columns)
        else:
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Take the keys of the first JSON record, before anything is begun; what is broken there shows later."""
        first = next(self._items, None)
        if first is not None:
            self._items = chain([first], self._items)
        if not (first is None or isinstance(first, BadRecord)) and any(first[1].values()):
            self._resolver.first(first[1])

    def skip(self, count: int) -> None:
        """Pass over the first ``count`` records, which have their outcome already; raises as the pieces do."""
        while count > 0:
            piece = Piece(Chunk([], {}), [])
            self._some(piece, min(count, _LOOK))
            count -= _LOOK
            if piece.last:
                return

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces; a fault of the file ends the last one, unless nothing came before it.

        Raises ``FileFault``, and for JSON what ``Resolver.first`` raises.
        """
        ahead: Piece | None = None
        while (piece := self._next()) is not None:
            if ahead is not None:
                yield ahead
            ahead = piece
            if piece.last:
                break
        if ahead is not None:
            ahead.last = True
            yield ahead

    def _next(self) -> Piece | None:
        piece = Piece(Chunk([], {}), [])
        began = self._table.taken
        while not piece.last and self._table.taken - began < _BYTES:
            room = self._size - len(piece.raw) - len(piece.asides)
            if room <= 0:
                break
            self._some(piece, min(room, _LOOK))
        if not (piece.raw or piece.asides):
            return None
        self._columns(piece)
        return piece

    def _some(self, piece: Piece, most: int) -> None:
        """Take up to ``most`` records into ``piece``."""
        items: list[Any] = []
        try:
            items.extend(islice(self._items, most))
            piece.last = len(items) < most
        except FileFault as fault:
            if not (self._begun or items):
                raise
            # what came before it is sound, and what comes after it cannot be read
            self._take(piece, items)
            piece.asides.append(Aside(len(piece.raw), int(str(fault.facts.get("line", 0))), fault))
            piece.last = True
            return
        self._take(piece, items)

    def _take(self, piece: Piece, items: list[Any]) -> None:
        self._begun = self._begun or bool(items)
        sound = [item for item in items if item.__class__ is tuple and any(item[1])]
        if len(sound) == len(items):
            piece.chunk.lines.extend([line for line, _cells in sound])
            piece.raw.extend([cells for _line, cells in sound])
            return
        for item in items:
            self._take_one(piece, item)

    def _take_one(self, piece: Piece, item: Any) -> None:
        if isinstance(item, BadRecord):
            piece.asides.append(Aside(len(piece.raw), item.line, item.error, item.cells))
            return
        line, values = item
        if not any(values if isinstance(values, list) else values.values()):
            # the empty rows below a spreadsheet's table
            piece.asides.append(Aside(len(piece.raw), line))
        elif isinstance(values, dict) and (key := self._unknown_key(values)) is not None:
            piece.asides.append(Aside(len(piece.raw), line, UnknownKey(key=key), values))
        else:
            piece.chunk.lines.append(line)
            piece.raw.append(values)

    def _unknown_key(self, values: dict[str, Any]) -> str | None:
        if not self._resolver.begun:
            self._resolver.first(values)
        return next((key for key in values if not self._resolver.know(key)), None)

    def _columns(self, piece: Piece) -> None:
        columns = self._resolver.columns
        cells = piece.chunk.cells
        if self._table.columns:
            by_header: dict[str, Any] = dict(zip(self._table.columns, zip(*piece.raw, strict=True), strict=False))
        else:
            used = self._resolver.used
            by_header = {key: [_given(record, key) for record in piece.raw] for key in (*columns.fields, *used)}
        for header, names in columns.fields.items():
            for name in names:
                cells[name] = by_header.get(header, ())
        for name, value in columns.constants.items():
            cells[name] = [value] * piece.count
        if self._resolver.shaping is not None and piece.count:
            self._resolver.shaping.apply(piece, by_header)


def _given(record: dict[str, Any], key: str) -> Any:
    """Return what a JSON record says of ``key``: None where it says nothing, empty text for null."""
    if key not in record:
        return None
    value = record[key]
    return "" if value is None else value
