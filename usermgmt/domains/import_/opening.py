"""Opens the file of an import: its bytes, its table, its columns, its pieces."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from usermgmt.domains.import_ import resuming
from usermgmt.domains.import_.mapfile import MAP_MAX, decoded, read_map
from usermgmt.domains.import_.mapping import Resolver
from usermgmt.domains.import_.pieces import MOST, Pieces
from usermgmt.domains.import_.source import Tracked
from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import Format, Limits
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import RowMapping

    from usermgmt.domains.import_.types import Options
    from usermgmt.engines.tabular.reading import Table
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.settings import Settings
    from usermgmt.kernel.transfer import Importer


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened file, as far as its header."""

    source: Tracked
    table: Table
    resolver: Resolver
    pieces: Pieces

    def facts(self) -> dict[str, Any]:
        """Return what the audit keeps of it; nothing that may tell of persons."""
        digest = self.source.digest[:16]
        return {"format": self.table.format.value, **({"sha256": digest} if digest else {})}


@contextmanager
def opened(
    ctx: Context, known: Importer, file: str, options: Options, row: RowMapping | None = None
) -> Iterator[Opened]:
    """Open ``file``, for a resumed run behind the records that ``row`` says are done.

    Raises ``FileMissing``, ``FileFault`` and its kinds, ``UnknownColumns``, ``BadMap``, ``FileChanged``,
    ``OtherOptions``.
    """
    name = _("standard input") if file == "-" else file
    given = read_map(options.map, options.map_file or "--map", known) if options.map is not None else None
    stream = ctx.open_input(file)
    try:
        source = Tracked(stream)
        if row is not None:
            resuming.check_file(row, name, source.fingerprint())
        with _table(ctx, source, name, options) as table:
            resolver = Resolver(name, known, given, ignore_unknown=options.ignore_unknown)
            pieces = Pieces(table, resolver, min(MOST, ctx.settings.number("import.chunk")))
            if row is not None:
                resuming.check_shown(row, table)
                pieces.skip(row["done"])
            yield Opened(source, table, resolver, pieces)
    finally:
        if file != "-":
            stream.close()


def _table(ctx: Context, source: Tracked, name: str, options: Options) -> Table:
    return open_table(
        cast("BinaryIO", source),
        name=name,
        format=Format(options.form) if options.form else None,
        encoding=options.encoding or None,
        delimiter=options.delimiter or None,
        sheet=options.sheet or None,
        limits=_limits(ctx.settings),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        file=settings.number("import.max_file"),
        row=settings.number("import.max_row"),
        field=settings.number("import.max_field"),
        rows=settings.number("import.max_rows"),
    )


def map_text(ctx: Context, name: str) -> str | None:
    """Return the text of the map file ``name``, None where none is given; raises ``BadMap``, ``Invalid``."""
    if not name:
        return None
    stream = ctx.open_input(name)
    try:
        data = stream.read(MAP_MAX + 1)
    except OSError as error:
        from usermgmt.kernel.files import failure

        raise failure(ctx.path(name), error) from None
    finally:
        stream.close()
    if len(data) > MAP_MAX:
        raise Invalid(field=name, problem=_("it is longer than {n} bytes").format(n=MAP_MAX))
    return decoded(data, name)
