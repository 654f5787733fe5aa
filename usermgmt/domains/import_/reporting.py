"""The report of an import: each refused or doubtful record with its line and the reason, as CSV."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import orjson

from usermgmt.domains.import_.errors import ReportIsInput
from usermgmt.engines.tabular.types import Format
from usermgmt.engines.tabular.writing import writer
from usermgmt.kernel.errors import FileExists
from usermgmt.kernel.files import whole_file
from usermgmt.kernel.text import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.errors import UsermgmtError

OWN = ("line", "outcome", "code", "message")


class Report:
    """Gathers records in an unnamed file: of JSON nobody knows the columns before the last one was seen."""

    def __init__(self, columns: Sequence[str], spool: IO[bytes]) -> None:
        self._columns = dict.fromkeys(columns)
        self._spool = spool

    def add(self, line: int, outcome: str, error: UsermgmtError, raw: Any) -> None:
        """Add what is to be told about one record; ``raw`` is what its line holds, as cells or as an object."""
        if not isinstance(raw, dict):
            raw = dict(zip(self._columns, raw, strict=False))
        self._columns.update(dict.fromkeys(raw))
        row = {**raw, **dict(zip(OWN, (line, outcome, error.code, error.message), strict=True))}
        self._spool.write(orjson.dumps(_writable(row), option=orjson.OPT_APPEND_NEWLINE))

    def write(self, stream: Any) -> None:
        """Write the report to ``stream``."""
        columns = [*(name for name in self._columns if name not in OWN), *OWN]
        self._spool.seek(0)
        with writer(Format.CSV, [whole(name) for name in columns], stream) as out:
            out.write_rows([row.get(name) for name in columns] for row in map(orjson.loads, self._spool))


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


@contextmanager
def reporting(ctx: Context, name: str, source: str, columns: Sequence[str]) -> Iterator[Report | None]:
    """Give the report that becomes the file ``name`` at the end, None where none is wanted.

    An earlier report is replaced, but nothing that is no file. Raises ``FileExists``, ``ReportIsInput``, and what
    ``whole_file`` raises.
    """
    if not name:
        yield None
        return
    path = ctx.path(name)
    if path.exists() and not path.is_file():
        raise FileExists(path=path)
    if source != "-" and _same(path, ctx.path(source)):
        raise ReportIsInput
    with whole_file(path, replace=True) as stream, tempfile.TemporaryFile(dir=path.parent) as spool:
        report = Report(columns, spool)
        yield report
        report.write(stream)


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
