"""How the restored copy takes its place: over a store that others have open, or under a name of its own, or as rows."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.domains.store import contents, copying, places, rows, verifying
from usermgmt.domains.store.errors import AnotherStore, NotEmpty
from usermgmt.kernel import sqlite
from usermgmt.kernel.errors import IntegrityBroken
from usermgmt.kernel.files import sync_directory
from usermgmt.kernel.i18n import _
from usermgmt.kernel.invocation import data_home
from usermgmt.kernel.store import Store, describe
from usermgmt.kernel.tables import audit_head
from usermgmt.migrations import KNOWN
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.domains.store.contents import Head
    from usermgmt.domains.store.restore import Plan
    from usermgmt.kernel.audit.log import Log
    from usermgmt.kernel.context import Context


def place(ctx: Context, plan: Plan) -> Log:
    """Begin the new lineage in the copy and put it in place, both or neither; return the log with the new head.

    Raises ``StoreBusy``, ``DiskFull``, ``FileExists``, ``AnotherStore``.
    """
    if plan.to.place.path is None:
        return _as_rows(ctx, plan)
    if plan.to.store is not None:
        return _over(ctx, plan, plan.to.store)
    log = plan.begin_lineage(ctx, None)
    _name(ctx, plan, plan.to.place.path, broken=plan.to.broken)
    return log


def _over(ctx: Context, plan: Plan, live: Store) -> Log:
    made: list[Log] = []
    copying.overwrite(live, plan.copy, lambda old: made.append(plan.begin_lineage(ctx, old)))
    return made[0]


def _name(ctx: Context, plan: Plan, path: Path, *, broken: bool) -> None:
    copy = plan.copy
    with copying.raw_connection(copy, key=plan.key) as raw:
        sqlite.prepare(raw, wal=sqlite.wal_is_safe(sqlite.version()))
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stamp = re.sub("[-:.]", "", ctx.now)
    aside = path.with_name(f"{path.name}.broken-{stamp}")
    if broken:
        os.link(path, aside, follow_symlinks=False)
    # journals without their file, or of a damaged one: SQLite would apply them to whatever has the name next
    for end in places.SIDE_FILES:
        if os.path.lexists(path.with_name(path.name + end)):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
            ctx.warn(_("{path} was moved aside, to {aside}").format(path=path.name + end, aside=aside.name + end))
    if not broken:
        places.publish(copy, path)
        return
    places.sync(copy)
    copy.replace(path)
    sync_directory(path.parent)
    ctx.warn(_("the damaged file was moved aside, to {path}").format(path=aside))


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


def _as_rows(ctx: Context, plan: Plan) -> Log:
    from usermgmt.kernel import postgres

    store = plan.to.store or Store(plan.to.place, ctx.settings, data_home(ctx.env))
    with store.guarded(), postgres.guarded(store.busy_timeout), store.engine.connect() as connection:
        connection.execution_options(lockless=True)
        with connection.begin():
            # two that restore at once: the second waits here, and then finds what the first one made
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (sqlite.APPLICATION_ID,))
            log = plan.begin_lineage(ctx, _lock(connection, plan))
            rows.put(plan.copy, connection, plan.key)
            _check(connection, plan, log)
    return log


def _lock(connection: Connection, plan: Plan) -> Head | None:
    """Make or lock what is there, at this program's schema; return the head that is replaced."""
    names = sa.inspect(connection).get_table_names()
    if not names:
        upgrade(connection)
        return None
    if audit_head.name not in names:
        raise NotEmpty(path=plan.to.place.label)
    connection.execute(sa.select(audit_head.c.seq).with_for_update())
    meta = describe(connection, plan.to.place.label, KNOWN)
    if meta.store_id != plan.store_id:
        raise AnotherStore(backup=plan.store_id, path=plan.to.place.label, there=meta.store_id)
    upgrade(connection)
    return contents.head(connection)


def _check(connection: Connection, plan: Plan, log: Log) -> None:
    with sqlite.engine(plan.copy, busy_timeout=1, key=plan.key).connect() as copy, copy.begin():
        held, found = contents.counts(copy), contents.counts(connection)
    if lost := sorted(name for name in held.keys() | found.keys() if held.get(name) != found.get(name)):
        raise IntegrityBroken(problem=_("rows were lost on the way: {names}").format(names=", ".join(lost)))
    verifying.chain(connection, plan.store_id, contents.Head(log.seq, log.hash, log.meta.lineage))
