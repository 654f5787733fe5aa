"""Reads CSV (RFC 4180, strictly) and backslash-escaped TSV: fast rows with the line on which each begins."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Protocol

from usermgmt.engines.tabular.errors import (
    BadEscape,
    BadHeader,
    DuplicateColumn,
    EmptyFile,
    FieldTooLong,
    LostQuote,
    NamelessColumn,
    RaggedRow,
    RecordFault,
    RowTooLong,
    StrayQuote,
    TooManyRows,
    UnclosedQuote,
)
from usermgmt.engines.tabular.lines import lines
from usermgmt.engines.tabular.types import BadRecord, Limits
from usermgmt.kernel.formula import unguard

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = tuple[int, list[str]]

DELIMITERS = ",;\t"
_IN_QUOTES = re.compile(r'"[^"]*(?:"|$)')
_ESCAPE = re.compile(r"\\(?:([\\tnr])|u\{([0-9a-fA-F]{1,6})\}|)")
_ESCAPED = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


class Rows(Protocol):
    """The header of a delimited file, and its rows."""

    columns: list[str]

    def rows(self) -> Iterator[Row | BadRecord]:
        """Yield each row with its line."""


_SEPARATOR = re.compile(r'"?sep=([,;\t])"?[,;\t]*\s*')


def named_delimiter(line: str) -> str | None:
    """Return the delimiter that ``line``, the first of a file, names for Excel (``sep=;``), or None."""
    found = _SEPARATOR.fullmatch(line)
    return found[1] if found else None


def guess_delimiter(opening: str) -> str:
    """Return the one of comma, semicolon and tab that the first line with text in it holds most of, outside quotes."""
    header = next((line for line in opening.splitlines() if line.strip()), "")
    if named := named_delimiter(header):
        return named
    bare = _IN_QUOTES.sub("", header)
    return max(DELIMITERS, key=bare.count)


class CsvRows:
    """The rows of a CSV file whose text comes in ``pieces``; reads the header at once.

    Blank lines are skipped. Quotes inside unquoted fields are text. Raises EmptyFile, BadHeader, DuplicateColumn,
    NamelessColumn, RowTooLong, TooManyRows, UnclosedQuote and LostQuote.
    """

    def __init__(self, pieces: Iterator[str], name: str, delimiter: str, limits: Limits, *, guarded: bool) -> None:
        self._name = name
        self._limits = limits
        self._guarded = guarded
        self._lines = lines(pieces, limits.row)
        self._start = 1  # the line on which the record in hand begins
        self._fed = 0  # characters of that record
        self._apostrophe = False
        self._line = ""
        self._ended = False
        # the module's limit is one for the process: it is only ever raised, our own comes first
        csv.field_size_limit(max(csv.field_size_limit(), limits.row + 1))
        self._reader = csv.reader(self._feed(), delimiter=delimiter, strict=True)
        self._items = self._raw()
        self.columns = self._header()

    def _feed(self) -> Iterator[str]:
        limit = self._limits.row
        for line in self._lines:
            self._fed += len(line)
            if self._fed > limit:
                raise RowTooLong(file=self._name, line=self._start, limit=limit)
            if "'" in line:
                self._apostrophe = True
            self._line = line
            yield line
        self._ended = True

    def _raw(self) -> Iterator[Row | BadRecord]:
        reader = self._reader
        while not self._ended:
            try:
                for row in reader:
                    start, self._start = self._start, reader.line_num + 1
                    if row:
                        yield start, row
                    self._fed = 0
                    self._apostrophe = False
            except csv.Error as error:
                yield BadRecord(self._start, self._stray_quote(error))
                self._start, self._fed, self._apostrophe = reader.line_num + 1, 0, False

    def _stray_quote(self, error: csv.Error) -> RecordFault:
        """Return the fault of one line if the record surely ends with it, else raise that of the file.

        An even number of quotes on a record's only line means that no field is left open at its end.
        """
        if self._ended:
            raise UnclosedQuote(file=self._name, line=self._start) from error
        if self._reader.line_num > self._start or self._line.count('"') % 2:
            raise LostQuote(file=self._name, line=self._start) from error
        return StrayQuote()

    def _header(self) -> list[str]:
        item = next(self._items, None)
        if item is not None and named_delimiter(self._line):
            item = next(self._items, None)
        if item is None:
            raise EmptyFile(file=self._name)
        if isinstance(item, BadRecord):
            raise BadHeader(file=self._name, line=item.line, problem=item.error.message)
        line, cells = item
        return checked_header([unguard(cell) for cell in cells] if self._guarded else cells, self._name, line)

    def rows(self) -> Iterator[Row | BadRecord]:
        """Yield each row with the line on which it begins, or a BadRecord in its place."""
        width, limit = len(self.columns), self._limits.field
        for read, item in enumerate(self._items, 1):
            if read > self._limits.rows:
                raise TooManyRows(file=self._name, line=item[0], limit=self._limits.rows)
            if isinstance(item, BadRecord):
                yield item
            elif len(item[1]) != width or self._fed > limit:
                yield self._checked(item)
            elif self._apostrophe and self._guarded:
                yield item[0], [unguard(cell) if cell[:1] == "'" else cell for cell in item[1]]
            else:
                yield item

    def _checked(self, item: Row) -> Row | BadRecord:
        line, cells = item
        if self._guarded:
            cells = [unguard(cell) for cell in cells]
        fault = row_fault(cells, self.columns, self._limits.field)
        return BadRecord(line, fault, tuple(cells)) if fault else (line, cells)


class TsvRows:
    r"""The rows of a TSV file: fields hold no quotes, but ``\t``, ``\n``, ``\r``, ``\\`` and ``\u{...}`` as escapes.

    That is what ``kernel.text.tsv_cell`` writes, and but for the last what PostgreSQL's COPY and ``mysql --batch``
    write. Blank lines are skipped, except in a file of one column, where they are empty values.
    Raises EmptyFile, BadHeader, DuplicateColumn, NamelessColumn, RowTooLong and TooManyRows.
    """

    def __init__(self, pieces: Iterator[str], name: str, limits: Limits, *, guarded: bool) -> None:
        self._name = name
        self._limits = limits
        self._guarded = guarded
        self._lines = enumerate(lines(pieces, limits.row), 1)
        self.columns: list[str] = []
        for line, text in self._lines:
            if text.strip():
                self.columns = self._header(line, text)
                return
        raise EmptyFile(file=name)

    def _header(self, line: int, text: str) -> list[str]:
        cells = self._cells(line, text)
        try:
            return checked_header(self._values(cells, cells), self._name, line)
        except BadEscape as error:
            raise BadHeader(file=self._name, line=line, problem=error.message) from error

    def _cells(self, line: int, text: str) -> list[str]:
        if len(text) > self._limits.row:
            raise RowTooLong(file=self._name, line=line, limit=self._limits.row)
        return text.rstrip("\r\n").split("\t")

    def _values(self, cells: list[str], columns: list[str]) -> list[str]:
        values = [unescape(cell, column) if "\\" in cell else cell for cell, column in zip(cells, columns, strict=True)]
        return [unguard(value) for value in values] if self._guarded else values

    def rows(self) -> Iterator[Row | BadRecord]:
        """Yield each row with its line, or a BadRecord in its place."""
        width, read = len(self.columns), 0
        for line, text in self._lines:
            cells = self._cells(line, text)
            if cells == [""] and width > 1:
                continue
            read += 1
            if read > self._limits.rows:
                raise TooManyRows(file=self._name, line=line, limit=self._limits.rows)
            plain = len(cells) == width and len(text) <= self._limits.field and "\\" not in text and "'" not in text
            yield (line, cells) if plain else self._checked(line, cells)

    def _checked(self, line: int, cells: list[str]) -> Row | BadRecord:
        try:
            values = self._values(cells, self.columns) if len(cells) == len(self.columns) else cells
        except BadEscape as fault:
            return BadRecord(line, fault, tuple(cells))
        found = row_fault(values, self.columns, self._limits.field)
        return BadRecord(line, found, tuple(values)) if found else (line, values)


def unescape(cell: str, field: str) -> str:
    r"""Return the value of the TSV cell ``cell``; raises BadEscape, naming ``field``, at a lone backslash."""

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return _ESCAPED[match[1]]
        point = int(match[2], 16) if match[2] else 0x110000
        if point > 0x10FFFF or 0xD800 <= point < 0xE000:
            raise BadEscape(field=field)
        return chr(point)

    return _ESCAPE.sub(one, cell)


def row_fault(cells: list[str], columns: list[str], limit: int) -> RecordFault | None:
    """Return what is wrong with a row as such, or None."""
    if len(cells) != len(columns):
        return RaggedRow(found=len(cells), expected=len(columns))
    for column, cell in zip(columns, cells, strict=True):
        if len(cell) > limit:
            return FieldTooLong(field=column, limit=limit)
    return None


def checked_header(cells: list[str], name: str, line: int) -> list[str]:
    """Return the column names, stripped; raises NamelessColumn, and DuplicateColumn without regard to case."""
    columns = [cell.strip() for cell in cells]
    seen: set[str] = set()
    for number, column in enumerate(columns, 1):
        if not column:
            raise NamelessColumn(file=name, line=line, number=number)
        if column.casefold() in seen:
            raise DuplicateColumn(file=name, line=line, column=column)
        seen.add(column.casefold())
    return columns
