"""The one renderer: what a command returned, as table, tsv, csv, json, ndjson, yaml, ids or count.

Data goes to standard output as UTF-8, masked and neutralised; words for people go through gettext.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel import results
from usermgmt.kernel.errors import Exit, UsageProblem
from usermgmt.kernel.i18n import _
from usermgmt.kernel.masking import Masking
from usermgmt.kernel.outcomes import OUTCOMES, columns, refusable, written
from usermgmt.kernel.text import json_neutral, neutral, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.results import Batch, Change, Listing, Pending, Record, View
    from usermgmt.kernel.words import Words

FORMATS = ("table", "tsv", "csv", "json", "ndjson", "yaml", "ids", "count")
_DATA = ("json", "ndjson", "yaml")


def wanted(ctx: Context, view: View) -> tuple[str, ...]:
    """Return the fields that the answer will show, as the options or the format decide.

    Raises ``UsageProblem`` for a field that the view does not have.
    """
    output = ctx.output
    if output.format in ("ids", "count"):
        return (view.key,)
    if not output.fields:
        if table_wanted(ctx):
            return tuple(column.name for column in view.columns if column.table)
        return view.names
    for name in output.fields:
        if name not in view.names:
            near = get_close_matches(name, view.names, 1)
            raise UsageProblem(
                problem=_("there is no field {name}").format(name=neutral(name)),
                hint=_("did you mean {near}? Fields: {names}").format(near=near[0], names=", ".join(view.names))
                if near
                else _("fields: {names}").format(names=", ".join(view.names)),
            )
    return output.fields


def shape_of(ctx: Context) -> str:
    """Return the format of the answer: the one asked for, or what its reader can use best."""
    if ctx.output.jq:
        return "json"
    return ctx.output.format or ("table" if ctx.streams.stdout_tty else "tsv")


def table_wanted(ctx: Context) -> bool:
    """Tell whether the answer is a table for a person."""
    return shape_of(ctx) == "table"


class Renderer:
    """Renders one result for one invocation; returns the exit code that the result itself asks for."""

    def __init__(self, ctx: Context, view: View) -> None:
        self.ctx = ctx
        self.view = view
        self.out = ctx.streams
        self.shape = shape_of(ctx)
        self.masking = Masking(ctx, view)

    @cached_property
    def words(self) -> Words:
        """What says values in tables."""
        from usermgmt.kernel.words import Words

        return Words(self.view, None if self.ctx.output.utc else self.ctx.zone, self.ctx.settings.attributes)

    @property
    def colored(self) -> bool:
        """Whether standard output may carry colour."""
        from usermgmt.kernel.color import wanted as color_wanted

        return color_wanted(self.ctx.output.color, self.ctx.env, tty=self.out.stdout_tty)

    def _write(self, lines: Iterable[str]) -> None:
        write = self.out.stdout.write
        for line in lines:
            # a lone surrogate can only have come in behind the program's back
            write(line.encode("utf-8", "backslashreplace") + b"\n")

    # -- dispatch ----------------------------------------------------------------------------------------------

    def show(self, result: Any) -> Exit:
        """Write ``result`` to standard output; return its exit code."""
        match result:
            case None:
                return Exit.OK
            case results.Page(text):
                self.out.out(text if text.endswith("\n") or not text else text + "\n")
            case results.Bytes(chunks):
                for chunk in chunks:
                    self.out.stdout.write(chunk)
            case results.Listing():
                self._listing(result)
            case results.Record():
                self._record(result)
                return result.exit or Exit.OK
            case results.Change():
                self._change(result)
            case results.Batch():
                return self._batch(result)
            case results.Pending():
                self._pending(result)
                return Exit.PENDING
            case _:
                raise TypeError(type(result))
        return Exit.OK

    # -- lists -------------------------------------------------------------------------------------------------

    def _listing(self, listing: Listing) -> None:
        if self.shape == "count":
            shown = listing.total() if listing.total is not None else sum(1 for _row in listing.rows)
            self.out.out(f"{shown}\n")
            return
        rows = self._counting(listing.rows)
        if self.shape == "ids":
            for row in rows:
                self.out.out(self.view.keyed.format(row[0]) + "\n")
        elif self.shape in _DATA:
            self._data(self._objects(listing.fields, rows))
        else:
            hidden = self.masking.columns(listing.fields)
            self._cells(listing.fields, (self.masking.row(row, hidden) for row in rows), measured=listing.measured)
        if listing.total is not None and not self.ctx.output.quiet and (total := listing.total()) > self._count:
            self.ctx.note(_("{shown} of {total} shown").format(shown=self._count, total=total))

    _count = 0

    def _counting(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            self._count += 1
            yield row

    def _objects(self, fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
        masking = self.masking.columns(fields)
        for row in rows:
            item = dict(zip(fields, row, strict=True))
            hidden = []
            for i, column in masking:
                value = self.masking.value(column, row[i])
                if value != row[i]:
                    item[column.name] = value
                    hidden.append(column.name)
            if hidden:
                item["masked"] = hidden
            yield item

    def _data(self, items: Iterator[dict[str, Any]]) -> None:
        """Write objects as a list in JSON, NDJSON or YAML, or what jq makes of it."""
        if self.ctx.output.jq:
            from usermgmt.kernel.jqfilter import run

            self._write(run(self.ctx.output.jq, items, narrow=self.ctx.actor.narrow))
        elif self.shape == "yaml":
            from usermgmt.kernel.yaml import sequence

            self._write(sequence(items))
        elif self.shape == "ndjson":
            for item in items:
                self.out.stdout.write(_json(item) + b"\n")
        else:
            self._json_array(items)

    def _json_array(self, items: Iterator[dict[str, Any]]) -> None:
        separator = b"[\n"
        for item in items:
            self.out.stdout.write(separator + _json(item))
            separator = b",\n"
        self.out.stdout.write(b"[]\n" if separator == b"[\n" else b"\n]\n")

    def _cells(self, fields: Sequence[str], rows: Iterable[Sequence[Any]], *, measured: int | None = None) -> None:
        """Write rows, masked already, as tsv, csv or a table."""
        header = self.ctx.output.header
        if self.shape == "table":
            from usermgmt.kernel.table import lines

            labels = [self.words.label(name) for name in fields] if header else None
            cells = ([self.words.cell(name, value) for name, value in zip(fields, row, strict=True)] for row in rows)
            for line in lines(labels, cells, width=self.out.width, bold=self.colored, measured=measured):
                self.out.out(line + "\n")
            return
        from usermgmt.kernel.cells import csv_lines, tsv_lines

        made = (csv_lines if self.shape == "csv" else tsv_lines)(tuple(fields) if header else None, rows)
        for text in made:
            self.out.stdout.write(text.encode("utf-8", "backslashreplace"))

    # -- objects -----------------------------------------------------------------------------------------------

    def _record(self, record: Record) -> None:
        fields = self.ctx.output.fields
        if fields and self.shape != "ids":
            values = {name: record.values.get(name) for name in fields}
        else:
            values = dict(record.values)
        self._object(self.masking.object(values))

    def _object(self, shown: dict[str, Any]) -> None:
        """Write one object, masked already."""
        if self.ctx.output.jq:
            from usermgmt.kernel.jqfilter import run_one

            self._write(run_one(self.ctx.output.jq, shown, narrow=self.ctx.actor.narrow))
        elif self.shape == "json":
            self.out.stdout.write(_json(shown, indent=True) + b"\n")
        elif self.shape == "ndjson":
            self.out.stdout.write(_json(shown) + b"\n")
        elif self.shape == "yaml":
            from usermgmt.kernel.yaml import mapping

            self._write(mapping(shown))
        elif self.shape == "ids":
            self._id(shown)
        elif self.shape == "count":
            self.out.out("1\n")
        else:
            shown.pop("masked", None)
            self._fields(shown)

    def _id(self, values: Mapping[str, Any]) -> None:
        if values.get(self.view.key) is not None:
            self.out.out(self.view.keyed.format(values[self.view.key]) + "\n")

    def _fields(self, shown: Mapping[str, Any]) -> None:
        if self.shape == "csv":
            self._cells(tuple(shown), [tuple(shown.values())])
        elif self.shape == "tsv":
            from usermgmt.kernel.cells import tsv_cell_of

            self._write(f"{name}\t{tsv_cell_of(value)}" for name, value in shown.items())
        else:
            self._pairs(shown)

    def _pairs(self, shown: Mapping[str, Any]) -> None:
        from usermgmt.kernel.table import pairs

        rows = []
        for name, value in shown.items():
            if value not in (None, "", [], {}):
                first, *rest = self.words.lines(name, value)
                rows += [(self.words.label(name), first), *(("", line) for line in rest)]
        for line in pairs(rows, bold=self.colored):
            self.out.out(line + "\n")

    # -- writes ------------------------------------------------------------------------------------------------

    @property
    def _words_wanted(self) -> bool:
        """Whether a write answers in words for people: nobody asked for a format or a field."""
        output = self.ctx.output
        return not (output.format or output.jq or output.fields)

    def _change_object(self, change: Change) -> dict[str, Any]:
        values: dict[str, Any] = {"outcome": change.outcome}
        if self.ctx.dry_run:
            values["dry_run"] = True
        values |= self.masking.object(change.values)
        if change.changes:
            values["changes"] = self.masking.changes(change.changes)
        if change.outcome != results.UNCHANGED and not self.ctx.dry_run:
            values["change_id"] = self.ctx.change_id
        return self._only(values)

    def _only(self, values: dict[str, Any]) -> dict[str, Any]:
        fields = self.ctx.output.fields
        if not fields or self.shape == "ids":
            return values
        only = {name: values.get(name) for name in fields}
        if hidden := [name for name in values.get("masked", ()) if name in fields]:
            only["masked"] = hidden
        return only

    def _change(self, change: Change) -> None:
        if self._words_wanted:
            if not self.ctx.output.quiet:
                self.out.out(self._line(change) + "\n")
            return
        self.view = written(self.view)
        shown = self._change_object(change)
        if self.shape in ("tsv", "csv") and not self.ctx.output.fields:
            shown = {name: shown.get(name) for name in columns(self.view, table=False, dry_run=self.ctx.dry_run)}
        self._object(shown)

    def _line(self, change: Change) -> str:
        words = _("{noun} {name}: {outcome}").format(
            noun=_(change.noun), name=neutral(change.name), outcome=_(OUTCOMES[change.outcome])
        )
        if change.outcome == results.UPDATED and change.changes:
            words = _("{line} ({fields})").format(line=words, fields=", ".join(change.changes))
        if change.note:
            words = _("{line}; {note}").format(line=words, note=neutral(change.note))
        return _("{line} (rehearsal: nothing was saved)").format(line=words) if self.ctx.dry_run else words

    def _pending(self, pending: Pending) -> None:
        if not self._words_wanted:
            self.view = written(self.view)
            shown = {"outcome": results.PENDING, "request": pending.number, **self.masking.object(pending.values)}
            self._object(self._only(shown))
        elif not self.ctx.output.quiet:
            line = _("{noun} {name}: waiting for approval, request {number}")
            self.out.out(line.format(noun=_(pending.noun), name=neutral(pending.name), number=pending.number) + "\n")

    # -- bulk --------------------------------------------------------------------------------------------------

    def _batch(self, batch: Batch) -> Exit:
        refused = [one for one in batch.results if isinstance(one, results.Refusal)]
        if self._words_wanted:
            if not self.ctx.output.quiet:
                for one in _done(batch):
                    self.out.out(self._line(one) + "\n")
        else:
            self._batch_data(batch, refused=bool(refused))
        if self._words_wanted or self.shape not in _DATA:
            self._tell(refused)
        if not refused:
            return Exit.OK
        return Exit.PARTIAL if len(refused) < len(batch.results) + batch.quiet else refused[0].error.exit

    def _batch_data(self, batch: Batch, *, refused: bool) -> None:
        if self.shape == "count":
            self.out.out(f"{len(batch.results)}\n")
        elif self.shape == "ids":
            for one in _done(batch):
                self._id(one.values)
        elif self.shape in _DATA:
            self._data(self._batch_item(one) for one in batch.results)
        else:
            self._batch_cells(batch, refused=refused)

    def _tell(self, refused: Iterable[results.Refusal]) -> None:
        from usermgmt.kernel.report import report

        for one in refused:
            report(self.ctx.streams, one.error, name=one.name, json=False)

    def _batch_item(self, one: Change | results.Refusal) -> dict[str, Any]:
        if isinstance(one, results.Refusal):
            from usermgmt.kernel.report import envelope

            return {"outcome": "refused", "name": whole(one.name), **envelope(one.error)}
        return self._change_object(one)

    def _batch_cells(self, batch: Batch, *, refused: bool) -> None:
        table = self.shape == "table"
        self.view = written(self.view)
        names = self.ctx.output.fields or columns(self.view, table=table, dry_run=self.ctx.dry_run)
        if refused or not table:
            names = (*names, "name", "error")
        self.view = refusable(self.view)
        self._cells(names, (self._batch_row(one, names) for one in batch.results))

    def _batch_row(self, one: Change | results.Refusal, names: Sequence[str]) -> tuple[Any, ...]:
        if isinstance(one, results.Refusal):
            values = {"outcome": "refused", "name": one.name, "error": one.error.code}
        else:
            values = self._change_object(one)
        return tuple(values.get(name) for name in names)


def _done(batch: Batch) -> Iterator[Change]:
    return (one for one in batch.results if isinstance(one, results.Change))


def _json(value: Any, *, indent: bool = False) -> bytes:
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0)
    return data if data.isascii() and b"\x7f" not in data else json_neutral(data.decode()).encode()
