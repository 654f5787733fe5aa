"""Cells of tsv and csv: neutralised, and guarded against being read as formulas."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel.formula import guard
from usermgmt.kernel.text import json_neutral, neutral, tsv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def text_of(value: Any) -> str:
    """Return a value as the text of one cell: empty for none, JSON for what is no scalar."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ";".join(value)
    if isinstance(value, dict | list | tuple):
        return json_neutral(orjson.dumps(value).decode())
    return str(value)


def tsv_cell_of(value: Any) -> str:
    """Return a value as one TSV cell."""
    return tsv_cell(text_of(value))


def tsv_lines(header: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield TSV lines; tabs and line breaks in values are written as escapes."""
    if header is not None:
        yield "\t".join(header) + "\n"
    for row in rows:
        yield "\t".join(map(tsv_cell_of, row)) + "\n"


def csv_lines(header: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield CSV records (RFC 4180, LF) for a list on screen or in a pipe: neutralised and guarded."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")

    def flush() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    if header is not None:
        writer.writerow(header)
        yield flush()
    for row in rows:
        writer.writerow([guard(neutral(text_of(value))) for value in row])
        yield flush()
