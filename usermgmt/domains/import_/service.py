"""``import``: opens the file, finds its columns, runs, and says what became of the records."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from usermgmt.domains.import_.mapfile import MAP_MAX, read_map
from usermgmt.domains.import_.mapping import Resolver
from usermgmt.domains.import_.pieces import Pieces
from usermgmt.domains.import_.reporting import reporting
from usermgmt.domains.import_.runs import Run, json_wanted
from usermgmt.domains.import_.source import Tracked
from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import Format, Limits
from usermgmt.kernel import transaction
from usermgmt.kernel.bulk import many_objects
from usermgmt.kernel.errors import Exit, Invalid
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.progress import progress
from usermgmt.kernel.results import Change
from usermgmt.kernel.transfer import DROPPED, OUTCOMES, REPORTED, importer

if TYPE_CHECKING:
    from usermgmt.domains.import_.mapfile import Map
    from usermgmt.domains.import_.mapping import Columns
    from usermgmt.domains.import_.types import Options, Tally
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.settings import Settings
    from usermgmt.kernel.transfer import Handling, Importer

WORDS = {
    "created": N_("{n} created"),
    "updated": N_("{n} updated"),
    "unchanged": N_("{n} unchanged"),
    "skipped": N_("{n} skipped"),
    "rejected": N_("{n} rejected"),
    "ignored": N_("{n} ignored"),
}


def import_file(ctx: Context, noun: str, file: str, options: Options, handling: Handling) -> Change:
    """Bring the records of ``file`` in as ``noun``; sets the exit code of a run that refused some.

    Raises ``FileMissing``, ``FileFault`` and its kinds, ``UnknownColumns``, ``BadMap``, ``FileExists``, ``Denied``.
    """
    known = importer(noun)
    session = known.begin(ctx, handling)
    given = _map(ctx, options, known)
    with ExitStack() as stack:
        stack.enter_context(many_objects())
        stream = ctx.open_input(file)
        if file != "-":
            stack.callback(stream.close)
        source = Tracked(stream)
        name = _("standard input") if file == "-" else file
        table = stack.enter_context(
            open_table(
                cast("BinaryIO", source),
                name=name,
                format=Format(options.form) if options.form else None,
                encoding=options.encoding or None,
                delimiter=options.delimiter or None,
                sheet=options.sheet or None,
                limits=_limits(ctx.settings),
            )
        )
        resolver = Resolver(name, known, given, ignore_unknown=options.ignore_unknown)
        pieces = Pieces(table, resolver, ctx.settings.number("import.chunk"))
        report = stack.enter_context(reporting(ctx, options.report, file, table.columns or ()))
        if not ctx.dry_run:
            ctx.note(_("run {run}").format(run=ctx.change_id))
        _tell_columns(ctx, resolver.columns)

        def facts() -> dict[str, Any]:
            return {"format": table.format.value, **({"sha256": source.digest} if source.digest else {})}

        run = Run(ctx, noun, session, options.on_error, report, facts)
        with progress(ctx, file, table.size) as bar:
            run.go(pieces, bar, lambda: table.taken)
        if not table.columns:
            _tell_columns(ctx, resolver.columns)
    return _answer(ctx, noun, run)


def _limits(settings: Settings) -> Limits:
    return Limits(
        file=settings.number("import.max_file"),
        row=settings.number("import.max_row"),
        field=settings.number("import.max_field"),
        rows=settings.number("import.max_rows"),
    )


def _map(ctx: Context, options: Options, known: Importer) -> Map | None:
    if not options.map_file:
        return None
    stream = ctx.open_input(options.map_file)
    try:
        data = stream.read(MAP_MAX + 1)
    except OSError as error:
        from usermgmt.kernel.files import failure

        raise failure(ctx.path(options.map_file), error) from None
    finally:
        stream.close()
    if len(data) > MAP_MAX:
        raise Invalid(field=options.map_file, problem=_("it is longer than {n} bytes").format(n=MAP_MAX))
    return read_map(data, options.map_file, known)


def _tell_columns(ctx: Context, columns: Columns) -> None:
    if columns.ignored:
        ctx.note(_("ignored columns: {names}").format(names=", ".join(columns.ignored)))
    if columns.guessed:
        ctx.note(_("guessed columns; to change them, save these lines and pass them with --map:"))
        for line in columns.toml().splitlines():
            ctx.note(line)


# -- the answer ----------------------------------------------------------------------------------------------------


def _answer(ctx: Context, noun: str, run: Run) -> Change:
    tally = run.tally
    ctx.exit = _exit(run)
    if ctx.exit in (Exit.CONFLICT, Exit.INVALID) and not ctx.dry_run:
        _leave_failure(ctx, noun, tally)
    counts = tally.summary()
    values: dict[str, Any] = {"run": None if ctx.dry_run else ctx.change_id, **counts}
    values |= {name: tally.findings[name] for name in (DROPPED, REPORTED) if tally.findings[name]}
    if run.rolled_back:
        values["rolled_back"] = True
    if not json_wanted(ctx):
        _warn(ctx, run)
    told = _(", ").join(_(WORDS[name]).format(n=counts[name]) for name in OUTCOMES if counts[name])
    note = _("{n} read").format(n=counts["read"])
    if told:
        note = _("{read}: {told}").format(read=note, told=told)
    return Change(tally.outcome, N_("import"), noun, values, {}, note)


def _warn(ctx: Context, run: Run) -> None:
    found = run.tally.findings
    if found[DROPPED]:
        ctx.warn(_("bad values left out: {n}").format(n=found[DROPPED]))
    if found[REPORTED]:
        ctx.warn(_("names that resemble others in their script: {n}").format(n=found[REPORTED]))
    if run.untold:
        ctx.warn(_("{n} more were refused; the report names them").format(n=run.untold))
    if run.rolled_back:
        ctx.warn(_("rolled back: nothing was saved"))


def _exit(run: Run) -> Exit:
    first = run.tally.first
    if first is None:
        return Exit.OK
    return Exit.PARTIAL if run.tally.taken and not run.rolled_back else first.exit


def _leave_failure(ctx: Context, noun: str, tally: Tally) -> None:
    first = tally.first
    assert first is not None
    facts = {"code": first.code, "counts": {name: count for name, count in tally.summary().items() if count}}
    with transaction.writing(ctx):
        ctx.log.append(ctx.action, noun, outcome="failed", facts=facts, error=first.message)
