"""The rows of a sheet as texts, with the number that each row has in the sheet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from usermgmt.engines.tabular.delimited import checked_header, row_fault
from usermgmt.engines.tabular.errors import (
    BadCell,
    BadHeader,
    EmptySheet,
    ErrorCell,
    HalfSurrogate,
    RaggedRow,
    RoundedNumber,
    RowTooLong,
    TooManyRows,
    UncalculatedCell,
)
from usermgmt.engines.tabular.types import BadRecord
from usermgmt.engines.tabular.xlsx import references
from usermgmt.engines.tabular.xlsx.numbers import Kind, Rounded, date_text, number_text
from usermgmt.engines.tabular.xlsx.strings import LONE, unescape
from usermgmt.engines.tabular.xlsx.xml import DEPTH, Reader, names
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from usermgmt.engines.tabular.delimited import Row
    from usermgmt.engines.tabular.errors import RecordFault
    from usermgmt.engines.tabular.xlsx.workbook import Workbook
    from usermgmt.engines.tabular.xlsx.xml import Attributes

_ROWS, _COLUMNS = 1 << 20, 1 << 14
"""What a sheet can have (Excel's specifications)."""
_NAMES = names("row", "c", "v", "f", "t", "rPh", "sheetData")
_DIGITS = re.compile("[0-9]{1,7}")
_MIDNIGHT = re.compile(r"T00:00(:00(\.0+)?)?$")


class _Ended(Exception):
    """The table of cells is over; what follows in the part is about looks."""


class SheetRows:
    """The rows of one sheet; reads the header, which is the first row with anything in it, at once.

    Rows without anything are skipped. Raises BadHeader, BrokenWorkbook, DuplicateColumn, EmptySheet, NamelessColumn,
    RowTooLong and TooManyRows.
    """

    def __init__(self, book: Workbook, sheet: str) -> None:
        found = book.sheet(sheet)
        book.read_strings()
        self.columns: list[str] = []
        self.taken = 0
        self.size: int | None = book.package.size(found.part)
        self._book = book
        self._part = found.part
        self._strings = book.strings
        self._styles = book.styles()
        self._limits = book.limits
        self._ready: list[Row | BadRecord] = []
        self._width = 0  # until the header is there
        self._letters: dict[str, int] = {}  # the columns that were named so far
        self._line = 0
        self._row: list[str] = []
        self._next = 0
        self._length = 0
        self._fault: RecordFault | None = None
        self._depth = self._phonetic = 0
        self._cell: Attributes = {}
        self._parts: list[str] = []
        self._formula = self._valued = False
        self._take = self._parts.append
        self._reader = Reader(book.name, found.part)
        self._parser = self._reader.parser
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._items = self._read()
        self._take_header(found.name)

    def _take_header(self, sheet: str) -> None:
        item = next(self._items, None)
        if item is None:
            raise EmptySheet(file=self._book.name, sheet=sheet)
        if isinstance(item, BadRecord):
            raise BadHeader(file=self._book.name, line=item.line, problem=item.error.message)
        self.columns = checked_header(item[1], self._book.name, item[0])

    def rows(self) -> Iterator[Row | BadRecord]:
        """Yield each row with its number in the sheet, or a BadRecord in its place."""
        for read, item in enumerate(self._items, 1):
            if read > self._limits.rows:
                raise TooManyRows(file=self._book.name, line=item[0], limit=self._limits.rows)
            if not isinstance(item, BadRecord) and (fault := row_fault(item[1], self.columns, self._limits.field)):
                yield BadRecord(item[0], fault, tuple(item[1]))
            else:
                yield item

    def _read(self) -> Generator[Row | BadRecord]:
        with self._book.package.open(self._part) as stream:
            try:
                for size in self._reader.pieces(stream):
                    self.taken += size
                    if self._length + sum(map(len, self._parts)) > self._limits.row:
                        self._refuse_length()
                    yield from self._ready
                    self._ready.clear()
            except _Ended:
                # to the end, where the checksum is compared
                while stream.read(1 << 16):
                    pass
                yield from self._ready

    def _refuse_length(self) -> NoReturn:
        raise RowTooLong(file=self._book.name, line=self._line, limit=self._limits.row)

    # -- what the parser meets -------------------------------------------------------------------------------------

    # called for every element: what is common comes first

    def _start(self, name: str, attributes: Attributes) -> None:
        self._depth = depth = self._depth + 1
        if depth > DEPTH:
            self._reader.check_depth(depth)
        local = _NAMES.get(name)
        if local == "c":
            self._cell = attributes
            self._formula = self._valued = False
        elif local == "v" or (local == "t" and not self._phonetic):
            self._valued = True
            self._parser.CharacterDataHandler = self._take
        elif local == "row":
            self._begin_row(attributes)
        elif local == "f":
            self._formula = True
        elif local == "rPh":
            self._phonetic += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = _NAMES.get(name)
        if local == "c":
            self._end_cell()
            self._parts.clear()
        elif local == "v" or local == "t":  # noqa: PLR1714 - without a tuple
            self._parser.CharacterDataHandler = None
        elif local == "row":
            self._end_row()
        elif local == "rPh":
            self._phonetic -= 1
        elif local == "sheetData":
            raise _Ended

    def _begin_row(self, attributes: Attributes) -> None:
        number = attributes.get("r")
        line = self._line + 1 if number is None else int(number) if _DIGITS.fullmatch(number) else 0
        if not self._line < line <= _ROWS:
            self._reader.broken(_("its rows are in no order, or too many"))
        self._line = line
        self._row, self._next, self._length, self._fault = [], 0, 0, None

    def _end_row(self) -> None:
        row = self._row
        if not row and self._fault is None:
            return
        if self._length > self._limits.row:
            self._refuse_length()
        self._width = self._width or len(row)
        row.extend([""] * (self._width - len(row)))
        self._ready.append(BadRecord(self._line, self._fault, tuple(row)) if self._fault else (self._line, row))

    def _end_cell(self) -> None:
        cell, row = self._cell, self._row
        reference = cell.get("r")
        column = self._next if reference is None else self._letters.get(reference.rstrip("0123456789"), -1)
        if not 0 <= column < _COLUMNS:
            column = self._column(reference or "")
        self._next = column + 1
        kind = cell.get("t")
        if kind == "inlineStr" and len(self._parts) == 1 and "_x" not in self._parts[0]:
            value = self._parts[0]
        else:
            value = self._sound_value(kind)
        if not value:
            return
        if not value.isprintable() and LONE.search(value):
            self._blame(HalfSurrogate())
        if column >= self._width > 0:
            self._blame(RaggedRow(found=column + 1, expected=self._width))
            return
        if column != len(row):
            self._skip_to(column)
        row.append(value)
        self._length += len(value)

    def _sound_value(self, kind: str | None) -> str:
        try:
            return self._value(kind)
        except ValueError as error:
            self._blame(BadCell(cell=self._reference, problem=str(error)))
        return ""

    def _skip_to(self, column: int) -> None:
        if column < len(self._row):
            self._reader.broken(_("its cells are in no order"))
        self._row.extend([""] * (column - len(self._row)))

    def _blame(self, fault: RecordFault) -> None:
        self._fault = self._fault or fault

    def _column(self, reference: str) -> int:
        """Return the number of the cell's column, from 0, and remember it."""
        name = reference.rstrip("0123456789")
        column = references.number(name) if references.REFERENCE.fullmatch(reference) else _COLUMNS
        if column >= _COLUMNS:
            self._reader.broken(_("a cell is in no column"))
        self._letters[name] = column
        return column

    @property
    def _reference(self) -> str:
        return f"{references.letters(self._next - 1)}{self._line}"

    # -- values ----------------------------------------------------------------------------------------------------

    def _value(self, kind: str | None) -> str:
        """Return the cell as a text; what is wrong with it is blamed on its row. Raises ``ValueError``."""
        text = "".join(self._parts)
        if kind == "s" and text:
            try:
                return self._strings[int(text)]
            except (IndexError, ValueError):
                raise ValueError(_("there is no such text")) from None
        if kind in ("inlineStr", "str"):
            if self._formula and not self._valued:
                self._blame(UncalculatedCell(cell=self._reference))
            return unescape(text) if "_x" in text else text
        if kind == "e":
            self._blame(ErrorCell(cell=self._reference, value=text[:20] or "?"))
            return ""
        if not text:
            if self._formula:
                self._blame(UncalculatedCell(cell=self._reference))
            return ""
        if kind == "b":
            return "true" if text.strip() in ("1", "true") else "false"
        return _MIDNIGHT.sub("", text) if kind == "d" else self._number(text)

    def _number(self, text: str) -> str:
        style = self._cell.get("s")
        shown = Kind.NUMBER
        if style and _DIGITS.fullmatch(style) and int(style) < len(self._styles):
            shown = self._styles[int(style)]
        try:
            if shown is Kind.NUMBER:
                return number_text(text)
            return date_text(text, shown, from_1904=self._book.from_1904)
        except Rounded:
            self._blame(RoundedNumber(cell=self._reference))
        except (ValueError, OverflowError):
            problem = _("it is not a number") if shown is Kind.NUMBER else _("it is not a date")
            raise ValueError(problem) from None
        return ""
