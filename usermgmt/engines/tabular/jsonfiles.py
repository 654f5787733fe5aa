"""Reads JSON (an array of objects, or one object) and NDJSON record by record, in constant memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn, cast

from usermgmt.engines.tabular.errors import (
    BottomlessJson,
    BrokenJson,
    BrokenLine,
    EmptyFile,
    NoRecords,
    RecordFault,
    RowTooLong,
    TooDeep,
    TooManyRows,
    TruncatedJson,
)
from usermgmt.engines.tabular.jsonvalues import BadJson, Bottomless, Scanner
from usermgmt.engines.tabular.lines import lines
from usermgmt.engines.tabular.types import BadRecord, Limits, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACES = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"[^ \t\n\r,\[\]{}\"]*")


def parse_value(data: bytes, limits: Limits | None = None) -> object:
    """Return the one JSON value that ``data`` (UTF-8) is, by the grammar of RFC 8259 alone.

    Keys given twice and numbers beyond a double pass here; ``Scanner.fault`` refuses them in records.
    Raises BrokenJson and BottomlessJson.
    """
    name = "JSON"
    try:
        text = data.decode("utf-8-sig")
        return Scanner(limits or Limits()).whole(text)
    except UnicodeDecodeError as error:
        raise BrokenJson(file=name, line=1, column=error.start + 1, problem=error.reason) from error
    except BadJson as error:
        line, column = _place(text, error.position)
        raise BrokenJson(file=name, line=line, column=column, problem=error.problem) from error
    except Bottomless as error:
        raise BottomlessJson(file=name, line=1) from error


def _place(text: str, position: int, start: int = 0) -> tuple[int, int]:
    """Return the line (from 1, counted from ``start``) and column (from 1) of ``position``."""
    return 1 + text.count("\n", start, position), position - text.rfind("\n", 0, position)


class _Window:
    """The part of the text that is being parsed; consumed text is let go, more is taken when needed."""

    def __init__(self, pieces: Iterator[str], name: str, limits: Limits) -> None:
        self.name = name
        self.text = ""
        self.at = 0
        self._pieces = pieces
        self._limits = limits
        self._line = 1
        self._counted = 0

    @property
    def line(self) -> int:
        """The line of the place in hand."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def more(self) -> bool:
        """Take the next piece of the text; False where it has ended. A value may not outgrow the limit of a record."""
        if len(self.text) - self.at > self._limits.row:
            raise RowTooLong(file=self.name, line=self.line, limit=self._limits.row)
        piece = next(self._pieces, "")
        _ = self.line
        self.text, self.at, self._counted = self.text[self.at :] + piece, 0, 0
        return bool(piece)

    def skip(self) -> str:
        """Go to the next character that is no white space and return it; empty at the end of the text."""
        while True:
            self.at = cast("re.Match[str]", _SPACES.match(self.text, self.at)).end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self, scanner: Scanner) -> tuple[object, RecordFault | None]:
        """Parse the value in hand and go behind it; return it with its fault as a record, if it has one."""
        if self.text[self.at] not in '{["':
            # a number may go on in the next piece, and 1 is as good as 12
            while cast("re.Match[str]", _SCALAR.match(self.text, self.at)).end() == len(self.text) and self.more():
                pass
        while True:
            try:
                value, end = scanner.value(self.text, self.at)
                break
            except BadJson as error:
                if not (error.cut and self.more()):
                    self.refuse(error)
            except Bottomless as error:
                raise BottomlessJson(file=self.name, line=self.line) from error
        if end - self.at > self._limits.row:
            raise RowTooLong(file=self.name, line=self.line, limit=self._limits.row)
        fault = scanner.fault(value, self.text[self.at : end])
        self.at = end
        return value, fault

    def refuse(self, error: BadJson) -> NoReturn:
        """Raise ``error`` as one of the file."""
        position = len(self.text) if error.ended else error.position
        lines_on, column = _place(self.text, position, self.at)
        line = self.line + lines_on - 1
        if error.ended:
            raise TruncatedJson(file=self.name, line=line) from error
        raise BrokenJson(file=self.name, line=line, column=column, problem=error.problem) from error

    def end(self) -> None:
        """Go to the end of the text, which must be near."""
        if self.skip():
            self.refuse(BadJson("Extra data", self.at))


def json_records(pieces: Iterator[str], name: str, limits: Limits) -> Iterator[Record | BadRecord]:
    """Yield the records of a JSON text: the elements of its array, or its one object.

    Raises EmptyFile, BrokenJson, TruncatedJson, BottomlessJson, NoRecords, RowTooLong and TooManyRows.
    """
    window, scanner = _Window(pieces, name, limits), Scanner(limits)
    opening = window.skip()
    if opening == "[":
        yield from _elements(window, scanner, limits)
        return
    if not opening:
        raise EmptyFile(file=name)
    line = window.line
    value, fault = window.value(scanner)
    window.end()
    if not isinstance(value, dict):
        raise NoRecords(file=name)
    yield _record(line, value, fault)


def _elements(window: _Window, scanner: Scanner, limits: Limits) -> Iterator[Record | BadRecord]:
    read = 0
    window.at += 1
    char = "," if window.skip() != "]" else "]"
    while char == ",":
        if not window.skip():
            break
        line = window.line
        read += 1
        if read > limits.rows:
            raise TooManyRows(file=window.name, line=line, limit=limits.rows)
        value, fault = window.value(scanner)
        yield _record(line, value, fault)
        if (char := window.skip()) == ",":
            window.at += 1
    if char != "]":
        window.refuse(BadJson("Expecting ',' delimiter", window.at, ended=not window.skip()))
    window.at += 1
    window.end()


def _record(line: int, value: object, fault: RecordFault | None) -> Record | BadRecord:
    return BadRecord(line, fault) if fault else Record(line, cast("dict[str, object]", value))


def ndjson_records(pieces: Iterator[str], name: str, limits: Limits) -> Iterator[Record | BadRecord]:
    """Yield the records of NDJSON, one object per line; blank lines are skipped, a bad line is a BadRecord.

    Raises RowTooLong and TooManyRows.
    """
    scanner, read = Scanner(limits), 0
    for number, line in enumerate(lines(pieces, limits.row), 1):
        if len(line) > limits.row:
            raise RowTooLong(file=name, line=number, limit=limits.row)
        text = line.strip(" \t\r\n")
        if not text:
            continue
        read += 1
        if read > limits.rows:
            raise TooManyRows(file=name, line=number, limit=limits.rows)
        yield _line_record(number, text, scanner, limits)


def _line_record(number: int, text: str, scanner: Scanner, limits: Limits) -> Record | BadRecord:
    try:
        value = scanner.whole(text)
    except BadJson as error:
        return BadRecord(number, BrokenLine(column=error.position + 1, problem=error.problem))
    except Bottomless:
        return BadRecord(number, TooDeep(limit=limits.depth))
    return _record(number, value, scanner.fault(value, text))
