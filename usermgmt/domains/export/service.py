"""``export``: one snapshot, written as it is read, after the audit knows how many records leave the store."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from usermgmt.engines.tabular.errors import SheetFull
from usermgmt.engines.tabular.types import ROWS_OF_SHEET, Format
from usermgmt.engines.tabular.writing import writer
from usermgmt.kernel.errors import UsageProblem
from usermgmt.kernel.events import E
from usermgmt.kernel.files import whole_file
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.progress import progress
from usermgmt.kernel.text import json_neutral_bytes
from usermgmt.kernel.transaction import record
from usermgmt.kernel.transfer import exporter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.progress import Progress
    from usermgmt.kernel.selectors import Predicate


def export(ctx: Context, noun: str, where: Predicate, form: Format, out: str, *, guarded: bool) -> None:
    """Write the records that ``where`` holds for to the file ``out``, or to standard output.

    Their number is recorded first: where the entry cannot be written, nothing leaves the store. Raises ``FileExists``,
    ``FileMissing``, ``DiskFull``, and for a workbook ``UsageProblem``, ``SheetFull`` and ``CellTooLong``.
    """
    known = exporter(noun)
    if form is Format.XLSX and out in ("", "-"):
        raise UsageProblem(
            problem=_("a workbook is a file, and not written to standard output"), hint=N_("pass --out FILE")
        )
    count = known.count(ctx, where)
    if form is Format.XLSX and count > ROWS_OF_SHEET:
        raise SheetFull(limit=ROWS_OF_SHEET)
    facts = {"count": count, "format": form.value}
    if out in ("", "-"):
        record(ctx, E.DATA_EXPORT, noun, facts=facts)
        _write(ctx, noun, where, form, ctx.streams.stdout, count, guarded=guarded)
        return
    path = ctx.path(out)
    with whole_file(path) as stream:
        record(ctx, E.DATA_EXPORT, noun, facts=facts)
        _write(ctx, noun, where, form, stream, count, guarded=guarded)
    ctx.note(_("{path}: {n} records").format(path=path, n=count))


def _write(
    ctx: Context, noun: str, where: Predicate, form: Format, stream: BinaryIO, count: int, *, guarded: bool
) -> None:
    known = exporter(noun)
    # closed here, also where the reader has gone: later there is no transaction to close a cursor in
    with progress(ctx, form.value, count) as bar:
        if form in (Format.CSV, Format.TSV, Format.XLSX):
            terminal = ctx.streams.stdout_tty and stream is ctx.streams.stdout
            with (
                closing(known.rows(ctx, where)) as rows,
                writer(form, known.columns, stream, guard=guarded, terminal=terminal, sheet=noun) as cells,
            ):
                cells.write_rows(_followed(rows, bar))
        else:
            with closing(known.objects(ctx, where)) as batches:
                _write_objects(batches, form, stream, bar)


def _followed(rows: Iterable[Any], bar: Progress) -> Iterable[Any]:
    for done, row in enumerate(rows):
        if not done % 10_000:
            bar.at(done, done)
        yield row


def _write_objects(batches: Iterable[list[str]], form: Format, stream: BinaryIO, bar: Progress) -> None:
    between, opening, end = (",\n", "[\n", "\n]\n") if form is Format.JSON else ("\n", "", "\n")
    done = 0
    for batch in chain(batches, ([],)):
        if batch:
            head = between if done else opening
            stream.write(json_neutral_bytes((head + between.join(batch)).encode()))
            done += len(batch)
            bar.at(done, done)
    if done:
        stream.write(end.encode())
    elif form is Format.JSON:
        stream.write(b"[]\n")
    stream.flush()
