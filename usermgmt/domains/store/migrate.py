"""``store migrate``: an older schema brought forward, all steps or none, with a verified backup before the first.

The writers' lock is taken before the backup, so that the backup holds everything that the steps then change.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usermgmt.domains.store import backup, contents, verifying
from usermgmt.domains.store.errors import MigrationChanged
from usermgmt.kernel import sqlite
from usermgmt.kernel.audit.log import Log
from usermgmt.kernel.errors import IntegrityBroken
from usermgmt.kernel.events import E
from usermgmt.kernel.files import private_directory
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.invocation import data_home
from usermgmt.kernel.results import UNCHANGED, UPDATED, Change
from usermgmt.kernel.schema import compare
from usermgmt.kernel.transaction import anchor
from usermgmt.migrations import HEAD, KNOWN
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Store

NOUN = N_("store")


def migrate(ctx: Context, to: Path | None) -> Change:
    """Bring the store's schema to this program's; ``to`` is where the backup goes, beside the store where None.

    Raises ``FileExists``, ``DiskFull``, ``MigrationChanged``, ``IntegrityBroken``, ``StoreBusy``.
    """
    store = ctx.store
    found = store.meta.schema
    if found == HEAD:
        return _change(ctx, UNCHANGED, {"from": found, "to": HEAD, "steps": [], "backup": None})
    path = to or _beside(ctx, store, found)
    told = {"from": found, "to": HEAD, "steps": list(KNOWN[KNOWN.index(found) + 1 :]), "backup": str(path)}
    if ctx.dry_run:
        # the usual place of a backup from PostgreSQL is made when it is needed
        if to is not None or path.parent.is_dir():
            backup.check(store, path)
        _rehearse(ctx, path, told)
        return _change(ctx, UPDATED, told)
    if to is None:
        private_directory(path.parent)
    backup.check(store, path)
    log = _steps(ctx, store, path, told)
    if log is None:
        return _change(ctx, UNCHANGED, {"from": HEAD, "to": HEAD, "steps": [], "backup": None})
    anchor(ctx, log)
    return _change(ctx, UPDATED, told)


def _change(ctx: Context, outcome: str, values: dict[str, Any]) -> Change:
    meta = ctx.store.meta
    note = ""
    if outcome == UPDATED:
        words = _("schema {old} to {new}; backup: {path}")
        note = words.format(old=values["from"], new=values["to"], path=values["backup"])
    return Change(outcome, NOUN, ctx.store.place.label, {"store_id": meta.store_id, **values}, note=note)


def _beside(ctx: Context, store: Store, schema: str) -> Path:
    """Return the usual place of the backup: beside the store, where whoever looks after the store finds it."""
    stamp = re.sub("[-:.]", "", ctx.now)
    place = store.place
    folder, name = (
        (place.path.parent, place.path.stem) if place.path is not None else (data_home(ctx.env), place.url.database)
    )
    return folder / f"{name}-{schema}-{stamp}.backup.db"


def _rehearse(ctx: Context, path: Path, told: dict[str, Any]) -> None:
    ctx.note(_("would back the store up to {path}").format(path=path))
    for step in told["steps"]:
        ctx.note(_("would run step {step}").format(step=step))


def _steps(ctx: Context, store: Store, path: Path, told: dict[str, Any]) -> Log | None:
    """Back up and run the steps under the writers' lock; None where another process has been here meanwhile."""
    with _locked(store) as connection:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        if found != told["from"]:
            return None
        made = backup.make(ctx, path)
        head = contents.head(connection)
        upgrade(connection)
        _check(connection, store, made, head)
        log = Log(connection, store.meta, ctx)
        facts = {"from": found, "to": HEAD, "backup": made.noted()}
        log.append(E.STORE_MIGRATE, "store", facts=facts)
        log.close()
    return log


@contextmanager
def _locked(store: Store) -> Iterator[Connection]:
    with store.guarded(), store.in_line() as mine, store.engine.connect() as connection:
        if mine is not None:
            raw: Any = connection.connection.driver_connection
            sqlite.be_patient(raw, mine.left)
            # a step may make a table anew: with foreign keys on, dropping the old one would take its children along;
            # the switch does nothing inside a transaction
            raw.execute("PRAGMA foreign_keys=OFF")
        connection.execution_options(writes=True)
        with connection.begin():
            yield connection


def _check(connection: Connection, store: Store, made: backup.Made, head: contents.Head) -> None:
    """Make sure that the steps kept what there was; raises ``MigrationChanged``, which takes them back."""
    try:
        changed = differing(made.facts.counts, contents.counts(connection))
        if not changed and store.dialect == "sqlite":
            changed = verifying.foreign_keys(connection)
        changed = changed or compare(connection, HEAD).problem
        if changed:
            raise MigrationChanged(schema=HEAD, problem=changed)
        verifying.chain(connection, store.meta.store_id, head)
    except IntegrityBroken as error:
        if isinstance(error, MigrationChanged):
            raise
        raise MigrationChanged(schema=HEAD, problem=error.message) from None


def differing(before: dict[str, int], after: dict[str, int]) -> str:
    """Return which tables have another number of rows than before, empty where none has; new ones do not count."""
    lost = [f"{name} ({rows} -> {after.get(name, 0)})" for name, rows in before.items() if after.get(name, 0) != rows]
    return _("tables have other numbers of rows: {names}").format(names=", ".join(lost)) if lost else ""
