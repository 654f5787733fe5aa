"""The report of an import: each refused or doubtful record with its line and the reason, as CSV.

Until the run ends, its rows stand in a file of their own beside it, a JSON object on each line, since of JSON nobody
knows the columns before the last record was seen. They are on the disk before the chunk is committed that they belong
to; what a killed process wrote beyond its last commit is cut off when the run is resumed.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import orjson

from usermgmt.domains.import_.errors import NotResumable, ReportIsInput
from usermgmt.domains.import_.types import OnError
from usermgmt.engines.tabular.types import Format
from usermgmt.engines.tabular.writing import writer
from usermgmt.kernel.errors import FileExists
from usermgmt.kernel.files import failure, sync_directory, whole_file
from usermgmt.kernel.i18n import _
from usermgmt.kernel.text import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy.engine import RowMapping

    from usermgmt.domains.import_.types import Options
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.errors import UsermgmtError

OWN = ("line", "outcome", "code", "message")


class Report:
    """Gathers records for the file ``path``; ``rows`` is the stream that has those which were kept.

    Its first line are the columns of the input; of JSON there are none.
    """

    def __init__(self, path: Path, rows: IO[bytes], columns: Sequence[str], partial: Path | None = None) -> None:
        self.partial = partial
        """The file of ``rows``, where it has a name."""
        self._path = path
        self._rows = rows
        self._columns = columns
        self._length = rows.seek(0, os.SEEK_END)
        self._gathered: list[bytes] = [] if self._length else [_line(list(columns))]

    def add(self, line: int, outcome: str, error: UsermgmtError, raw: Any) -> None:
        """Add what is to be told about one record; ``raw`` is what its line holds, as cells or as an object."""
        if not isinstance(raw, dict):
            raw = dict(zip(self._columns, raw, strict=False))
        self._gathered.append(_line({**raw, **dict(zip(OWN, (line, outcome, error.code, error.message), strict=True))}))

    def keep(self) -> int:
        """Put what was added on the disk, and return how long the rows are."""
        data, self._gathered = b"".join(self._gathered), []
        if data:
            try:
                self._rows.write(data)
                self._rows.flush()
                if self.partial is not None:
                    os.fsync(self._rows.fileno())
            except OSError as error:
                raise failure(self.partial or self._path, error) from None
            self._length += len(data)
        return self._length

    def cut(self, length: int) -> None:
        """Take back rows that were kept for a chunk which was not committed."""
        self._gathered.clear()
        self._length = self._rows.seek(length)
        self._rows.truncate()

    def publish(self) -> None:
        """Write the report, in the place of one that is there."""
        self.keep()
        names = dict.fromkeys(self._read(columns=True))
        for row in self._read():
            names.update(dict.fromkeys(row))
        columns = [*(name for name in names if name not in OWN), *OWN]
        with (
            whole_file(self._path, replace=True) as stream,
            writer(Format.CSV, [whole(name) for name in columns], stream) as out,
        ):
            out.write_rows([row.get(name) for name in columns] for row in self._read())

    def remove(self) -> None:
        """Remove the rows: the report has them."""
        if self.partial is not None:
            self.partial.unlink(missing_ok=True)

    def _read(self, *, columns: bool = False) -> Iterator[Any]:
        self._rows.seek(0)
        first = orjson.loads(self._rows.readline())
        yield from first if columns else map(orjson.loads, self._rows)


def _line(value: Any) -> bytes:
    return orjson.dumps(_writable(value), option=orjson.OPT_APPEND_NEWLINE)


def _writable(value: Any) -> Any:
    """Return ``value`` such as JSON can hold: half of a surrogate pair, which refuses a record, has no bytes."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {whole(str(name)): _writable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    return value


def checked(ctx: Context, name: str, source: str) -> Path:
    """Return the path of the report ``name``: an earlier one is replaced, but nothing that is no file, nor the input.

    Raises ``FileExists``, ``ReportIsInput``.
    """
    path = ctx.path(name)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise FileExists(path=path)
    if source != "-" and _same(path, ctx.path(source)):
        raise ReportIsInput
    return path


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def partial(path: Path, run: str) -> Path:
    """Return the file in which the rows of a report stand until its run has ended."""
    return path.with_name(f"{path.name}.{run}.partial")


@contextmanager
def unnamed(path: Path, columns: Sequence[str]) -> Iterator[Report]:
    """Give a report whose rows nobody needs where the run does not end: those of a rehearsal, or of all or nothing."""
    try:
        rows = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed below
    except OSError as error:
        raise failure(path, error) from None
    with rows:
        yield Report(path, rows, columns)


@contextmanager
def named(path: Path, run: str, columns: Sequence[str]) -> Iterator[Report]:
    """Give the report of a run that may be resumed; raises as ``files.failure`` says."""
    rows = partial(path, run)
    try:
        # it may be there, where a process died before its first commit
        descriptor = os.open(rows, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_CREAT | os.O_TRUNC, 0o600)
        sync_directory(rows.parent)
    except OSError as error:
        raise failure(path, error) from None
    with os.fdopen(descriptor, "r+b") as stream:
        yield Report(path, stream, columns, rows)


@contextmanager
def taken_up(path: Path, run: str, length: int) -> Iterator[Report | None]:
    """Give the report of an earlier process as it stood at its last commit, None where it is not there any more."""
    rows = partial(path, run)
    try:
        stream = os.fdopen(os.open(rows, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "r+b")
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise failure(rows, error) from None
    with stream:
        if stream.seek(0, os.SEEK_END) < length:
            yield None
            return
        stream.truncate(length)
        stream.seek(0)
        yield Report(path, stream, orjson.loads(stream.readline()), rows)


@contextmanager
def reporting(
    ctx: Context, file: str, options: Options, columns: Sequence[str], row: RowMapping | None
) -> Iterator[Report | None]:
    """Give the report that ``options`` want, None where they want none; ``row`` is what a resumed run has of it.

    Raises ``FileExists``, ``ReportIsInput``, ``NotResumable`` and what ``files.failure`` says.
    """
    if not options.report or (row is not None and ctx.dry_run):
        yield None
        return
    path = checked(ctx, options.report, file)
    found: AbstractContextManager[Report | None]
    if ctx.dry_run or options.on_error == OnError.ROLLBACK:
        found = unnamed(path, columns)
    elif row is not None and row["report_bytes"]:
        found = taken_up(path, row["run"], row["report_bytes"])
    else:
        found = named(path, row["run"] if row is not None else ctx.change_id, columns)
    with found as report:
        if report is None:
            assert row is not None
            raise NotResumable(
                run=row["run"], problem=_("its report so far, {path}, is gone").format(path=partial(path, row["run"]))
            )
        yield report
