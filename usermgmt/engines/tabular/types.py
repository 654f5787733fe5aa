"""What a table is made of: its formats, its limits, and the records that reading yields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from usermgmt.engines.tabular.errors import RecordFault


ROWS_OF_SHEET = (1 << 20) - 1
"""Records that a sheet of a workbook can hold below its header."""


class Format(StrEnum):
    """The file formats that are read and written."""

    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    NDJSON = "ndjson"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one input may hold before it is refused: the bounds that keep memory constant.

    ``file`` counts bytes; ``row`` and ``field`` count characters, of a record as it stands in the file (quotes and
    line ends included) and of one value; ``depth`` counts the objects and arrays around a JSON value.
    """

    file: int = 1 << 30
    row: int = 1 << 20
    field: int = 1 << 16
    rows: int = 10_000_000
    depth: int = 64


class Record(NamedTuple):
    """One record and the physical line (from 1) on which it begins."""

    line: int
    values: dict[str, object]


class BadRecord(NamedTuple):
    """One record that cannot be used while the ones after it can; ``cells`` is what a delimited row did hold."""

    line: int
    error: RecordFault
    cells: tuple[str, ...] = ()
