"""One writers' transaction with its audit: begin, log, check that nothing changed unrecorded, commit, anchor."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usermgmt.kernel.audit.log import Log
from usermgmt.kernel.errors import Exit, Unavailable, UsermgmtError
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.events import E


class Unrecorded(UsermgmtError):
    """The command {command} changed rows and left no entry in the audit; nothing was saved."""

    code = "audit.unrecorded"


class _Rehearsed(Exception):
    pass


@contextmanager
def writing(ctx: Context) -> Iterator[None]:
    """Run one writers' transaction: committed and anchored at the end, rolled back on any exception or rehearsal.

    Raises ``Unrecorded`` where rows changed and no entry was appended.
    """
    store = ctx.store
    log: Log | None = None
    try:
        with store.writing() as connection:
            log = Log(connection, store.meta, ctx)
            ctx.use(store, connection, log)
            store.changed = 0
            yield
            store.settle(connection)
            if store.changed and not log.appended:
                raise Unrecorded(command=ctx.command)
            log.close()
            if ctx.dry_run:
                raise _Rehearsed
    except _Rehearsed:
        return
    finally:
        ctx.use(store)
    if log.appended:
        anchor(ctx, log)
        entries = _("change {change}, audit entries {first} to {last}")
        ctx.detail(entries.format(change=ctx.change_id, first=log.seq - log.appended + 1, last=log.seq))


def anchor(ctx: Context, log: Log) -> None:
    """Append the new head to the anchors outside the store; one that cannot be written is a warning."""
    try:
        log.anchor(ctx.store.key_dir, ctx.store.anchor_file)
    except Unavailable as error:
        ctx.warn(_("the audit could not be anchored: {problem}").format(problem=error.message))


@contextmanager
def reading(ctx: Context) -> Iterator[None]:
    """Run one read-only transaction over one snapshot."""
    store = ctx.store
    with store.reading() as connection:
        ctx.use(store, connection)
        try:
            yield
        finally:
            ctx.use(store)


def record(ctx: Context, action: str | E, target: str, **facts: Any) -> None:
    """Append one entry in a short transaction of its own: audited reads, denials, failures.

    A read snapshot that is open stays open; where the journal admits no writer beside a reader, it is begun anew.
    """
    connection = ctx._connection  # noqa: SLF001 - the decorator's own handle, put back below
    nested = connection is not None and ctx.store.dialect == "sqlite" and not ctx.store.has_wal(connection)
    if nested:
        assert connection is not None
        connection.exec_driver_sql("ROLLBACK")
    rehearsal, ctx.dry_run = ctx.dry_run, False
    try:
        with writing(ctx):
            ctx.audit(action, target, **facts)
    finally:
        ctx.dry_run = rehearsal
        ctx.use(ctx.store, connection)
        if nested:
            assert connection is not None
            connection.exec_driver_sql("BEGIN")


def record_failure(ctx: Context, action: str, error: UsermgmtError) -> None:
    """Leave the entry that a refused command leaves: ``denied`` for exit 4, ``failed`` for 5 and 6 of a write."""
    with writing(ctx):
        if error.exit == Exit.DENIED:
            ctx.log.append_denial(action, ctx.target, error)
        else:
            ctx.log.append(action, ctx.target, outcome="failed", facts={"code": error.code}, error=error.message)
