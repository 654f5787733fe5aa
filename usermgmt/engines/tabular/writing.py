r"""Writes tables as CSV, TSV, JSON or NDJSON: UTF-8 without a byte order mark, lines end with ``\n``.

CSV quotes by RFC 4180, but ends its lines as the other formats do: every reader takes that, while a ``\r`` would
stick to the last column in a pipe. None is an empty cell, lists and objects stand in cells as JSON.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Self

import orjson

from usermgmt.engines.tabular.source import noticing_full_disk, write_all
from usermgmt.engines.tabular.types import Format
from usermgmt.kernel.formula import OPENERS, guard
from usermgmt.kernel.text import json_neutral_bytes, neutral, tsv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BATCH = 1000
_QUOTED = re.compile('[,"\\r\\n]')


class Writer:
    """Writes rows under ``columns`` to ``stream``, which stays open; ``count`` is the number of rows so far.

    As a context manager it closes itself only after success, so that JSON which was broken off does not look whole.
    Raises DiskFull; a closed pipe is BrokenPipeError.
    """

    def __init__(self, columns: Sequence[str], stream: BinaryIO) -> None:
        self.columns = tuple(columns)
        self.count = 0
        self._stream = stream

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        """Write ``rows``, values in the order of the columns: str, int, float, bool, None, list or dict."""
        remaining = iter(rows)
        while batch := list(islice(remaining, _BATCH)):
            write_all(self._stream, self._batch(batch))
            self.count += len(batch)

    def close(self) -> None:
        """Write what belongs at the end, and hand everything over to the stream."""
        write_all(self._stream, self._end())
        with noticing_full_disk():
            self._stream.flush()

    def _batch(self, rows: list[Sequence[object]]) -> bytes:
        raise NotImplementedError

    def _end(self) -> bytes:
        return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            self.close()


class _DelimitedWriter(Writer):
    def __init__(self, columns: Sequence[str], stream: BinaryIO, *, guard: bool, header: bool) -> None:
        super().__init__(columns, stream)
        self._guard = guard
        self._openers = OPENERS if guard else frozenset[str]()
        if header:
            write_all(stream, self._batch([self.columns]))

    def _batch(self, rows: list[Sequence[object]]) -> bytes:
        return "".join([self._line(self._cells(row)) for row in rows]).encode()

    def _cells(self, row: Sequence[object]) -> list[str]:
        openers, cell = self._openers, self._cell
        # not isinstance: twelve million times a second counts
        return [value if value.__class__ is str and value[:1] not in openers else cell(value) for value in row]

    def _cell(self, value: object) -> str:
        if value is None:
            return ""
        text = cell_text(value)
        return guard(text) if self._guard and isinstance(value, str) else text

    def _line(self, cells: list[str]) -> str:
        raise NotImplementedError


class _CsvWriter(_DelimitedWriter):
    def _line(self, cells: list[str]) -> str:
        line = ",".join(cells)
        # the standard library's writer leaves \r bare before Python 3.13
        if '"' in line or "\n" in line or "\r" in line or line.count(",") != len(cells) - 1:
            line = ",".join([_quoted(cell) for cell in cells])
        # a lone empty cell, or it would be a blank line
        return (line or '""') + "\n"


class _TerminalCsvWriter(_CsvWriter):
    def _cells(self, row: Sequence[object]) -> list[str]:
        return [neutral(cell) for cell in super()._cells(row)]


class _TsvWriter(_DelimitedWriter):
    def _line(self, cells: list[str]) -> str:
        line = "".join(cells)
        # what is printable to Python holds nothing that tsv_cell would write otherwise
        if "\\" in line or not line.isprintable():
            cells = [tsv_cell(cell) for cell in cells]
        return "\t".join(cells) + "\n"


def _quoted(cell: str) -> str:
    """Return ``cell`` in quotes if it needs them (RFC 4180 section 2)."""
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell


class _NdjsonWriter(Writer):
    def _batch(self, rows: list[Sequence[object]]) -> bytes:
        return json_neutral_bytes(b"".join(_objects(self.columns, rows)))


class _JsonWriter(Writer):
    def _batch(self, rows: list[Sequence[object]]) -> bytes:
        lines = _objects(self.columns, rows)
        return json_neutral_bytes((b",\n" if self.count else b"[\n") + b",\n".join([line[:-1] for line in lines]))

    def _end(self) -> bytes:
        return b"\n]\n" if self.count else b"[]\n"


def _objects(columns: tuple[str, ...], rows: list[Sequence[object]]) -> list[bytes]:
    try:
        return [orjson.dumps(dict(zip(columns, row, strict=True)), None, orjson.OPT_APPEND_NEWLINE) for row in rows]
    except orjson.JSONEncodeError:
        # integers beyond 64 bits
        made = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows)
        return [f"{line}\n".encode() for line in made]


def cell_text(value: object) -> str:
    """Return a value other than None as the text of a cell."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else str(value)


def writer(
    format: Format,  # noqa: A002 - the word of the command line
    columns: Sequence[str],
    stream: BinaryIO,
    *,
    guard: bool = True,
    terminal: bool = False,
    header: bool = True,
    sheet: str = "Sheet1",
) -> Writer:
    """Return the writer of ``format``.

    ``guard`` puts the formula guard on text in CSV and TSV (numbers need none); ``open_table`` takes it off again.
    ``terminal`` neutralises CSV for the eyes, past reading back; TSV and JSON are always neutral, and reversibly so.
    ``header`` is the line of column names in CSV and TSV. A workbook has one ``sheet``; its stream must be a file.
    """
    if format is Format.XLSX:
        from usermgmt.engines.tabular.xlsx.writing import WorkbookWriter

        return WorkbookWriter(columns, stream, sheet)
    if format is Format.CSV:
        return (_TerminalCsvWriter if terminal else _CsvWriter)(columns, stream, guard=guard, header=header)
    if format is Format.TSV:
        return _TsvWriter(columns, stream, guard=guard, header=header)
    return (_JsonWriter if format is Format.JSON else _NdjsonWriter)(columns, stream)
