"""``import``: opens the file, finds its columns, runs or goes on with a run, and says what became of the records."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_ import resuming
from usermgmt.domains.import_.alive import going_on
from usermgmt.domains.import_.journal import Begun, Journal, loaded
from usermgmt.domains.import_.opening import map_text, opened
from usermgmt.domains.import_.reporting import reporting
from usermgmt.domains.import_.runs import Run, json_wanted
from usermgmt.domains.import_.types import OnError, State, Tally
from usermgmt.kernel import transaction
from usermgmt.kernel.bulk import many_objects
from usermgmt.kernel.errors import Exit
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.progress import progress
from usermgmt.kernel.results import UNCHANGED, Change
from usermgmt.kernel.transfer import DROPPED, OUTCOMES, REPORTED, importer

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

    from usermgmt.domains.import_.mapping import Columns
    from usermgmt.domains.import_.opening import Opened
    from usermgmt.domains.import_.types import Options
    from usermgmt.kernel.context import Context

WORDS = {
    "created": N_("{n} created"),
    "updated": N_("{n} updated"),
    "unchanged": N_("{n} unchanged"),
    "skipped": N_("{n} skipped"),
    "rejected": N_("{n} rejected"),
    "ignored": N_("{n} ignored"),
}


def import_file(ctx: Context, noun: str, file: str, options: Options) -> Change:
    """Bring the records of ``file`` in as ``noun``; sets the exit code of a run that refused some.

    With ``options.resume`` it goes on with a run that was broken off, as that was begun.
    Raises ``FileMissing``, ``FileFault`` and its kinds, ``UnknownColumns``, ``BadMap``, ``FileExists``, ``Denied``,
    and what ``resuming`` raises.
    """
    options = replace(options, map=map_text(ctx, options.map_file))
    if options.resume is None:
        return _go(ctx, noun, file, options.settled())
    row = resuming.find(ctx, noun, options)
    if row["state"] == State.DONE:
        resuming.finish_report(row)
        return _change(noun, UNCHANGED, row["run"], loaded(row))
    return _go(ctx, noun, file, resuming.as_begun(row, options), row)


def _go(ctx: Context, noun: str, file: str, options: Options, row: RowMapping | None = None) -> Change:
    """Do this process's part of a run; ``row`` is what earlier ones left of it."""
    known = importer(noun)
    session = known.begin(ctx, options.handling())
    tally = loaded(row) if row is not None else Tally()
    with ExitStack() as stack:
        stack.enter_context(many_objects())
        if row is not None:
            stack.enter_context(going_on(ctx.store, row["run"]))
        found = stack.enter_context(opened(ctx, known, file, options, row))
        report = stack.enter_context(reporting(ctx, file, options, found.table.columns or (), row))
        journal = None if ctx.dry_run else _begin(ctx, stack, noun, file, options, found, row)
        _tell_columns(ctx, found.resolver.columns)

        def facts() -> dict[str, Any]:
            return {**found.facts(), **({"resumed": row["run"]} if row is not None else {})}

        run = Run(ctx, noun, session, options.on_error or OnError.CONTINUE, report, facts, journal, tally)
        try:
            with progress(ctx, file, found.table.size) as bar:
                run.go(found.pieces, bar, lambda: found.table.taken)
        except BaseException:
            _tell_left(ctx, noun, file, run, found)
            raise
        if report is not None:
            report.publish()
            if run.state != State.STOPPED:
                report.remove()
        if not found.table.columns:
            _tell_columns(ctx, found.resolver.columns)
        if not json_wanted(ctx):
            _tell_left(ctx, noun, file, run, found)
    return _answer(ctx, noun, run)


def _begin(
    ctx: Context, stack: ExitStack, noun: str, file: str, options: Options, found: Opened, row: RowMapping | None
) -> Journal:
    """Make the row of the run, or take it up, and say which run it is."""
    if row is not None:
        journal = Journal.resume(ctx, row)
        ctx.note(_("run {run} goes on after {n} records").format(run=journal.run, n=journal.done))
        return journal
    stack.enter_context(going_on(ctx.store, ctx.change_id))
    report = str(ctx.path(options.report)) if options.report else None
    kept = resuming.kept(options, found.table)
    journal = Journal.begin(ctx, Begun(noun, file, kept, found.source.fingerprint(), report))
    ctx.note(_("run {run}").format(run=journal.run))
    return journal


def _tell_columns(ctx: Context, columns: Columns) -> None:
    if columns.ignored:
        ctx.note(_("ignored columns: {names}").format(names=", ".join(columns.ignored)))
    if columns.guessed:
        ctx.note(_("guessed columns; to change them, save these lines and pass them with --map:"))
        for line in columns.toml().splitlines():
            ctx.note(line)


def _tell_left(ctx: Context, noun: str, file: str, run: Run, found: Opened) -> None:
    """Say what is left of a run that did not come to the end of its file, and how to go on."""
    if not run.left:
        return
    ctx.note(_("the run ended after {n} records").format(n=run.tally.read))
    if found.source.seekable():
        line = f"usermgmt import {noun} {shlex.quote(file)} --resume {run.id}"
        ctx.note(_("to go on: {command}").format(command=line))
    if run.partial is not None:
        ctx.note(_("the report so far: {path}").format(path=run.partial))


# -- the answer ----------------------------------------------------------------------------------------------------


def _answer(ctx: Context, noun: str, run: Run) -> Change:
    tally = run.tally
    ctx.exit = _exit(run)
    if ctx.exit in (Exit.CONFLICT, Exit.INVALID) and not ctx.dry_run:
        _leave_failure(ctx, noun, tally)
    if not json_wanted(ctx):
        _warn(ctx, run)
    change = _change(noun, tally.outcome, run.id, tally)
    return replace(change, values={**change.values, "rolled_back": True}) if run.rolled_back else change


def _change(noun: str, outcome: str, run: str | None, tally: Tally) -> Change:
    counts = tally.summary()
    values: dict[str, Any] = {"run": run, **counts}
    values |= {name: tally.findings[name] for name in (DROPPED, REPORTED) if tally.findings[name]}
    told = _(", ").join(_(WORDS[name]).format(n=counts[name]) for name in OUTCOMES if counts[name])
    note = _("{n} read").format(n=counts["read"])
    if told:
        note = _("{read}: {told}").format(read=note, told=told)
    return Change(outcome, N_("import"), noun, values, {}, note)


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
    refusal = run.tally.first_refusal
    if not refusal:
        return Exit.OK
    return Exit.PARTIAL if run.tally.taken and not run.rolled_back else Exit(refusal["exit"])


def _leave_failure(ctx: Context, noun: str, tally: Tally) -> None:
    counts = {name: count for name, count in tally.summary().items() if count}
    facts = {"code": tally.first_refusal["code"], "counts": counts}
    with transaction.writing(ctx):
        error = tally.first.message if tally.first is not None else ""
        ctx.log.append(ctx.action, noun, outcome="failed", facts=facts, error=error)
