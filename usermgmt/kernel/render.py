"""The one renderer: what a command returned, as table, tsv, csv, json, ndjson, ids or count.

Data goes to standard output as UTF-8, masked and neutralised; words for people go through gettext.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.kernel import results
from usermgmt.kernel.errors import Exit, UsageProblem
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.text import MASKS, json_neutral, neutral

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.results import Batch, Change, Column, Listing, Pending, Record, View

FORMATS = ("table", "tsv", "csv", "json", "ndjson", "ids", "count")

OUTCOMES = {
    results.CREATED: N_("created"),
    results.UPDATED: N_("updated"),
    results.UNCHANGED: N_("unchanged"),
    results.REMOVED: N_("removed"),
    results.PENDING: N_("waiting for approval"),
    "skipped": N_("skipped"),
    "refused": N_("refused"),
}


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


def table_wanted(ctx: Context) -> bool:
    """Tell whether the answer is a table for a person."""
    return (ctx.output.format or ("table" if ctx.streams.stdout_tty else "tsv")) == "table" and not ctx.output.jq


class Renderer:
    """Renders one result for one invocation; returns the exit code that the result itself asks for."""

    def __init__(self, ctx: Context, view: View) -> None:
        self.ctx = ctx
        self.view = view
        self.out = ctx.streams

    # -- values ------------------------------------------------------------------------------------------------

    def _mask(self, column: Column | None, value: Any) -> Any:
        """Return ``value`` masked, or itself where it need not be: revealed, or just given by the caller."""
        if column is None or not column.mask or value is None or value in ("", [], {}):
            return value
        if self.ctx.output.reveal or (isinstance(value, str) and value in self.ctx.given):
            return value
        if isinstance(value, list):
            return [self._mask(column, item) for item in value]
        return MASKS[column.mask](str(value))

    def masked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the object with personal values masked and, beside them, the names of those that were."""
        shown: dict[str, Any] = {}
        hidden = []
        for name, value in values.items():
            shown[name] = self._mask(self.view.column(name), value)
            if shown[name] != value:
                hidden.append(name)
        if hidden:
            shown["masked"] = hidden
        return shown

    def _changes(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: [self._mask(self.view.column(name), value) for value in pair] if isinstance(pair, list | tuple) else pair
            for name, pair in changes.items()
        }

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
        output = self.ctx.output
        shape = output.format or ("table" if self.out.stdout_tty else "tsv")
        if output.jq:
            shape = "json"
        shown = 0
        rows = self._counting(listing.rows)
        match shape:
            case "count":
                shown = listing.total() if listing.total is not None else sum(1 for _row in rows)
                self.out.out(f"{shown}\n")
                return
            case "ids":
                for row in rows:
                    self.out.out(self.view.keyed.format(row[0]) + "\n")
            case "json" | "ndjson":
                self._json_rows(self._objects(listing.fields, rows), shape)
            case "tsv" | "csv":
                self._cells(listing.fields, rows, shape)
            case _:
                self._table(listing.fields, rows)
        if listing.total is not None and not output.quiet and (total := listing.total()) > self._count:
            self.ctx.note(_("{shown} of {total} shown").format(shown=self._count, total=total))

    _count = 0

    def _counting(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            self._count += 1
            yield row

    def _masking(self, fields: Sequence[str]) -> list[tuple[int, Column]]:
        if self.ctx.output.reveal:
            return []
        columns = [(i, self.view.column(name)) for i, name in enumerate(fields)]
        return [(i, column) for i, column in columns if column is not None and column.mask]

    def _objects(self, fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
        masking = self._masking(fields)
        for row in rows:
            item = dict(zip(fields, row, strict=True))
            hidden = []
            for i, column in masking:
                value = self._mask(column, row[i])
                if value != row[i]:
                    item[column.name] = value
                    hidden.append(column.name)
            if hidden:
                item["masked"] = hidden
            yield item

    def _json_rows(self, items: Iterator[dict[str, Any]], shape: str) -> None:
        jq = self.ctx.output.jq
        if jq:
            from usermgmt.kernel.jqfilter import run

            for line in run(jq, items):
                self.out.stdout.write(line.encode() + b"\n")
            return
        write = self.out.stdout.write
        if shape == "ndjson":
            for item in items:
                write(_json(item) + b"\n")
            return
        separator = b"[\n"
        for item in items:
            write(separator + _json(item))
            separator = b",\n"
        write(b"[]\n" if separator == b"[\n" else b"\n]\n")

    def _cells(self, fields: Sequence[str], rows: Iterable[tuple[Any, ...]], shape: str) -> None:
        from usermgmt.kernel.cells import csv_lines, tsv_lines

        masking = self._masking(fields)
        lines = tsv_lines if shape == "tsv" else csv_lines
        header = tuple(fields) if self.ctx.output.header else None
        for text in lines(header, (self._masked_row(row, masking) for row in rows)):
            self.out.stdout.write(text.encode("utf-8", "surrogatepass"))

    def _masked_row(self, row: tuple[Any, ...], masking: list[tuple[int, Column]]) -> Sequence[Any]:
        if not masking:
            return row
        cells = list(row)
        for i, column in masking:
            cells[i] = self._mask(column, row[i])
        return cells

    def _table(self, fields: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        from usermgmt.kernel.table import lines

        masking = self._masking(fields)
        labels = [self._label(name) for name in fields] if self.ctx.output.header else None
        cells = ([self._words(name, value) for name, value in zip(fields, self._masked_row(row, masking), strict=True)]
                 for row in rows)
        for line in lines(labels, cells, width=self.out.width, bold=self.colored):
            self.out.out(line + "\n")

    def _label(self, name: str) -> str:
        column = self.view.column(name)
        return _(column.label) if column is not None else name

    def _words(self, name: str, value: Any) -> str:
        """Return a value as a person reads it in a table: labels for enums, local time, no braces."""
        if value is None:
            return ""
        column = self.view.column(name)
        labels = self.view.enums.get(name)
        if labels and value in labels:
            return _(labels[value])
        if column is not None and column.kind == "time" and not self.ctx.output.utc:
            return self._local(value)
        return neutral(_plain(value))

    def _local(self, value: str) -> str:
        from usermgmt.kernel.clock import from_text

        return from_text(value).astimezone(self.ctx.zone).isoformat(" ", "seconds")

    @property
    def colored(self) -> bool:
        """Whether standard output may carry colour."""
        from usermgmt.kernel.color import wanted as color_wanted

        return color_wanted(self.ctx.output.color, self.ctx.env, tty=self.out.stdout_tty)

    # -- objects -----------------------------------------------------------------------------------------------

    def _record(self, record: Record) -> None:
        fields = self.ctx.output.fields
        values = {name: record.values.get(name) for name in fields} if fields else dict(record.values)
        self._object(values)

    def _object(self, values: Mapping[str, Any]) -> None:
        output = self.ctx.output
        shape = output.format or ("table" if self.out.stdout_tty else "tsv")
        shown = self.masked(values)
        if output.jq:
            from usermgmt.kernel.jqfilter import run_one

            for line in run_one(output.jq, shown):
                self.out.stdout.write(line.encode() + b"\n")
        elif shape == "json":
            self.out.stdout.write(_json(shown, indent=True) + b"\n")
        elif shape == "ndjson":
            self.out.stdout.write(_json(shown) + b"\n")
        elif shape == "ids":
            if values.get(self.view.key) is not None:
                self.out.out(self.view.keyed.format(values[self.view.key]) + "\n")
        elif shape == "count":
            self.out.out("1\n")
        elif shape == "csv":
            from usermgmt.kernel.cells import csv_lines

            header = tuple(values) if output.header else None
            row = [self._mask(self.view.column(name), value) for name, value in values.items()]
            for text in csv_lines(header, [row]):
                self.out.stdout.write(text.encode("utf-8", "surrogatepass"))
        else:
            self._pairs(values, shape)

    def _pairs(self, values: Mapping[str, Any], shape: str) -> None:
        from usermgmt.kernel.cells import tsv_cell_of

        if shape == "tsv":
            for name, value in values.items():
                cell = tsv_cell_of(self._mask(self.view.column(name), value))
                self.out.stdout.write(f"{name}\t{cell}\n".encode("utf-8", "surrogatepass"))
            return
        from usermgmt.kernel.table import pairs

        rows = [
            (self._label(name), self._words(name, self._mask(self.view.column(name), value)))
            for name, value in values.items()
            if value not in (None, "", [], {})
        ]
        for line in pairs(rows, bold=self.colored):
            self.out.out(line + "\n")

    # -- writes ------------------------------------------------------------------------------------------------

    def _change_object(self, change: Change) -> dict[str, Any]:
        values: dict[str, Any] = {"outcome": change.outcome}
        if self.ctx.dry_run:
            values["dry_run"] = True
        values |= self.masked(change.values)
        if change.changes:
            values["changes"] = self._changes(change.changes)
        if change.outcome != results.UNCHANGED and not self.ctx.dry_run:
            values["change_id"] = self.ctx.change_id
        return values

    def _change(self, change: Change) -> None:
        output = self.ctx.output
        if not output.format and not output.jq:
            if not output.quiet:
                self.out.out(self._line(change) + "\n")
            return
        if output.format == "ids":
            if change.values.get(self.view.key) is not None:
                self.out.out(self.view.keyed.format(change.values[self.view.key]) + "\n")
            return
        # masked here already, with the field names of the object; the view knows none of the extra ones
        fields = output.fields
        values = self._change_object(change)
        self._plain_object({name: values.get(name) for name in fields} if fields else values)

    def _plain_object(self, values: dict[str, Any]) -> None:
        masking, self.view = self.view, results.View(self.view.noun, (), self.view.key, self.view.keyed)
        try:
            self._object(values)
        finally:
            self.view = masking

    def _line(self, change: Change) -> str:
        words = _("{noun} {name}: {outcome}").format(
            noun=_(change.noun), name=neutral(change.name), outcome=_(OUTCOMES[change.outcome])
        )
        if change.outcome == results.UPDATED and change.changes:
            words += f" ({', '.join(change.changes)})"
        if change.note:
            words += f"; {neutral(change.note)}"
        return words + (" " + _("(rehearsal: nothing was saved)") if self.ctx.dry_run else "")

    def _pending(self, pending: Pending) -> None:
        if self.ctx.output.format or self.ctx.output.jq:
            self._plain_object({"outcome": results.PENDING, "request": pending.number, **self.masked(pending.values)})
        elif not self.ctx.output.quiet:
            line = _("{noun} {name}: waiting for approval, request {number}")
            self.out.out(line.format(noun=_(pending.noun), name=neutral(pending.name), number=pending.number) + "\n")

    def _batch(self, batch: Batch) -> Exit:
        refused = [one for one in batch.results if isinstance(one, results.Refusal)]
        output = self.ctx.output
        if output.format in ("json", "ndjson") or output.jq:
            self._json_rows((self._batch_item(one) for one in batch.results), output.format or "json")
        elif output.format == "count":
            self.out.out(f"{len(batch.results)}\n")
        else:
            for one in batch.results:
                if isinstance(one, results.Change):
                    self._change(one)
        if not (output.format in ("json", "ndjson") or output.jq):
            from usermgmt.kernel.report import report

            for one in refused:
                report(self.ctx.streams, one.error, name=one.name, json=False)
        if not refused:
            return Exit.OK
        return Exit.PARTIAL if len(refused) < len(batch.results) else refused[0].error.exit

    def _batch_item(self, one: Any) -> dict[str, Any]:
        if isinstance(one, results.Refusal):
            from usermgmt.kernel.report import envelope

            return {"outcome": "refused", "name": one.name, **envelope(one.error)}
        return self._change_object(one)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items())
    return str(value)


def _json(value: Any, *, indent: bool = False) -> bytes:
    data = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0)
    return data if data.isascii() and b"\x7f" not in data else json_neutral(data.decode()).encode()
