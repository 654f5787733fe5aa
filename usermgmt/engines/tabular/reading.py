"""Opens a table: guesses its format, encoding and delimiter, and yields its records one by one."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from usermgmt.engines.tabular import encoding as encodings
from usermgmt.engines.tabular.delimited import DELIMITERS, CsvRows, TsvRows, guess_delimiter
from usermgmt.engines.tabular.errors import ArrayNotLines, EmptyFile, UnknownDelimiter
from usermgmt.engines.tabular.jsonfiles import json_records, ndjson_records
from usermgmt.engines.tabular.jsonvalues import BadJson, Bottomless, Scanner
from usermgmt.engines.tabular.source import Source
from usermgmt.engines.tabular.types import BadRecord, Format, Limits, Record
from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.engines.tabular.delimited import Row, Rows

_SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".json": Format.JSON,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
}
# a zip archive, and what old and encrypted workbooks are wrapped in
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}


class _Input(Protocol):
    size: int | None
    taken: int

    def close(self) -> None: ...


class Table:
    """An opened table, read once, forwards: ``format``, ``encoding``, ``delimiter`` and ``columns`` say what it is.

    ``delimiter`` and ``columns`` (the header, stripped) are None for JSON, whose records each have their own keys.
    """

    def __init__(
        self,
        source: _Input,
        form: Format,
        encoding: str,
        *,
        delimiter: str | None = None,
        delimited: Rows | None = None,
        records: Iterator[Record | BadRecord] | None = None,
    ) -> None:
        self.format = form
        self.encoding = encoding
        self.delimiter = delimiter
        self.columns = delimited.columns if delimited else None
        self._source = source
        self._delimited = delimited
        self._records = records

    def rows(self) -> Iterator[Row | BadRecord]:
        """Yield ``(line, cells)`` of a delimited table, cells in the order of ``columns``: the fast way.

        A row that cannot be used is a BadRecord in its place. Faults of the file raise a FileFault when they are
        reached, after the records before them.
        """
        if self._delimited is None:
            raise TypeError("JSON has no rows: use records()")
        return self._delimited.rows()

    def records(self) -> Iterator[Record | BadRecord]:
        """Yield the records of a table of any format as dictionaries; otherwise as ``rows``."""
        return self._records if self._records is not None else self._from_rows()

    def _from_rows(self) -> Iterator[Record | BadRecord]:
        for item in self.rows():
            if isinstance(item, BadRecord):
                yield item
            else:
                yield Record(item[0], dict(zip(self.columns or (), item[1], strict=True)))

    def __iter__(self) -> Iterator[Record | BadRecord]:
        return self.records()

    @property
    def taken(self) -> int:
        """How many bytes of the input the records so far came from, of ``size``."""
        return self._source.taken

    @property
    def size(self) -> int | None:
        """How many bytes there are; None where nobody can tell."""
        return self._source.size

    def close(self) -> None:
        """Let the copy of a pipe go, where one was made; the stream is the caller's."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def open_table(
    stream: BinaryIO,
    *,
    name: str,
    format: Format | None = None,  # noqa: A002 - the word of the command line
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    limits: Limits | None = None,
    guarded: bool = True,
) -> Table:
    """Open the table in ``stream``, called ``name`` in messages and for the guess of its format.

    Not forced: the format follows from the suffix of ``name`` and from a ``[`` or ``{`` at the start; the encoding is
    UTF-8 or GB18030 (``encoding.decide``), for which the whole input is looked at once, a pipe after a copy was made;
    the delimiter of CSV is the one its header holds most of. With ``encoding`` a pipe is read as it comes.
    A workbook is one by its content; ``sheet`` is which one of it is read, without it the first that is seen.
    ``guarded`` takes the formula guard off (``guard.unguard``) in CSV and TSV.
    Raises FileFault and its kinds, NoSuchSheet, UnknownEncoding, UnknownDelimiter, UsageProblem, FileUnreadable.
    """
    limits = limits or Limits()
    delimiter = _known_delimiter(delimiter)
    source = Source(stream, name, limits.file)
    try:
        textual = encoding is not None or delimiter is not None
        if format is Format.XLSX or (format is None and not textual and source.head.startswith(_WORKBOOKS)):
            if textual:
                raise UsageProblem(problem=_("a workbook has no encoding and no delimiter to be named"))
            return _workbook(source, sheet or "", limits)
        if sheet is not None:
            raise UsageProblem(problem=_("{file} is no workbook, so it has no sheets").format(file=name))
        found = encodings.decide(source, encoding)
        form, opening = _form(source, found, format, delimiter)
        pieces = encodings.texts(source, found)
        if form is Format.CSV:
            delimiter = delimiter or guess_delimiter(opening)
            csv = CsvRows(pieces, name, delimiter, limits, guarded=guarded)
            return Table(source, form, found, delimiter=delimiter, delimited=csv)
        if form is Format.TSV:
            tsv = TsvRows(pieces, name, limits, guarded=guarded)
            return Table(source, form, found, delimiter="\t", delimited=tsv)
        read = json_records if form is Format.JSON else ndjson_records
        return Table(source, form, found, records=read(pieces, name, limits))
    except BaseException:
        source.close()
        raise


def _workbook(source: Source, sheet: str, limits: Limits) -> Table:
    from usermgmt.engines.tabular.xlsx.reading import WorkbookRows

    rows = WorkbookRows(source, sheet, limits)
    return Table(rows, Format.XLSX, "", delimited=rows)


def _known_delimiter(given: str | None) -> str | None:
    if given is None:
        return None
    delimiter = _DELIMITER_NAMES.get(given.lower(), given)
    if len(delimiter) != 1 or delimiter not in DELIMITERS:
        raise UnknownDelimiter(delimiter=given)
    return delimiter


def _form(source: Source, encoding: str, given: Format | None, delimiter: str | None) -> tuple[Format, str]:
    """Return the format and the opening text; refuse what is empty or plainly not of the given format."""
    opening = encodings.opening(source, encoding)
    if source.whole and not source.head.removeprefix(BOM_UTF8).strip():
        raise EmptyFile(file=source.name)
    form = given or _guess_format(source.name, opening, whole=source.whole, delimiter=delimiter)
    if form is Format.NDJSON and opening.lstrip().startswith("["):
        raise ArrayNotLines(file=source.name)
    return form, opening


def _guess_format(name: str, opening: str, *, whole: bool, delimiter: str | None) -> Format:
    suffix = _SUFFIXES.get(PurePath(name).suffix.lower())
    if delimiter is not None and suffix is not Format.TSV:
        return Format.CSV
    if suffix in (Format.CSV, Format.TSV):
        return suffix
    start = opening.lstrip()
    if start.startswith("["):
        return Format.JSON
    if start.startswith("{"):
        return Format.NDJSON if _is_object_line(start, whole=whole) else Format.JSON
    return suffix or Format.CSV


def _is_object_line(start: str, *, whole: bool) -> bool:
    """Tell NDJSON, whose first line is a value, from one object written over several lines."""
    line, end, _rest = start.partition("\n")
    if not end and not whole:
        return True
    try:
        Scanner(Limits()).whole(line)
    except (BadJson, Bottomless):
        return False
    return True
