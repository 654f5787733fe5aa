"""Making a store: the schema, its first audit entry, its key, and then, all at once, its name."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt import __version__
from usermgmt.domains.store import places
from usermgmt.kernel import sqlite
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.log import Log, first_head
from usermgmt.kernel.errors import Conflict, Invalid, NoStore
from usermgmt.kernel.events import E
from usermgmt.kernel.files import private_directory
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import CREATED, UNCHANGED, Change
from usermgmt.kernel.store import Meta, Place, Store
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.kernel.transaction import anchor
from usermgmt.migrations import HEAD
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.context import Context


class OtherStore(Conflict):
    """There is a store at {path} already, and its {option} is {actual}."""

    code = "store.exists"
    hint = N_("leave the option out, or name another place with --store")


def init(ctx: Context, at: Place, home: Path, *, simulate: bool, region: str) -> Change:
    """Create the store at ``at``; ``unchanged`` where one is there that agrees with the options.

    Raises ``OtherStore``, ``Invalid``, ``NotAStore``, ``UnsafeStore``, ``DiskFull``, ``FileUnreadable``.
    """
    region = _region(region)
    if (found := _existing(ctx, at, home)) is not None:
        return _agreeing(found, at, simulate=simulate, region=region)
    values = {"location": at.label, "engine": at.dialect, "simulated": simulate, "region": region or None}
    if ctx.dry_run:
        return Change(CREATED, "store", at.label, {**values, "store_id": None})
    meta = Meta(ctx.random.uuid7(ctx.clock.now()), 1, simulate, region or None, ctx.now, HEAD)
    make(ctx, at, home, meta)
    return Change(CREATED, "store", at.label, {**values, "store_id": meta.store_id, "schema": meta.schema})


def _region(text: str) -> str:
    region = text.upper()
    if region:
        from phonenumbers import SUPPORTED_REGIONS

        if not re.fullmatch("[A-Z]{2}", region) or region not in SUPPORTED_REGIONS:
            raise Invalid(field="--region", problem=_("it is not a country code"), hint=N_("two letters, as CN or DE"))
    return region


def _existing(ctx: Context, at: Place, home: Path) -> Meta | None:
    try:
        return Store(at, ctx.settings, home).meta
    except NoStore:
        return None


def _agreeing(found: Meta, at: Place, *, simulate: bool, region: str) -> Change:
    if simulate and not found.simulated:
        raise OtherStore(path=at.label, option="--simulate", actual=_("no"))
    if region and region != found.region:
        raise OtherStore(path=at.label, option="--region", actual=found.region or _("none"))
    values = {"location": at.label, "engine": at.dialect, "simulated": found.simulated, "region": found.region}
    return Change(UNCHANGED, "store", at.label, {**values, "store_id": found.store_id, "schema": found.schema})


def make(ctx: Context, at: Place, home: Path, meta: Meta) -> None:
    """Make the schema, the first entry and the key, and give the store its place."""
    if at.path is None:
        with _database(ctx, at, home) as connection:
            log = _fill(ctx, connection, meta)
    else:
        private_directory(at.path.parent)
        with new_file(at.path) as temporary, file_connection(temporary) as connection:
            log = _fill(ctx, connection, meta)
    opened = Store(at, ctx.settings, home)
    keys.create_key(opened.key_dir)
    ctx.use(opened)
    anchor(ctx, log)


def _fill(ctx: Context, connection: Connection, meta: Meta) -> Log:
    upgrade(connection)
    connection.execute(
        sa.insert(store_meta).values(
            id=1,
            store_id=meta.store_id,
            lineage=meta.lineage,
            simulated=meta.simulated,
            region=meta.region,
            created_at=meta.created_at,
        )
    )
    connection.execute(sa.insert(audit_head).values(**first_head(meta.store_id)))
    log = Log(connection, meta, ctx)
    facts: dict[str, Any] = {"schema": meta.schema, "simulated": meta.simulated, "program": __version__}
    log.append(E.STORE_INIT, "store", facts={**facts, "region": meta.region})
    log.close()
    return log


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give the path of a private database file that becomes ``path`` at the end, or leaves nothing.

    Raises ``FileExists`` where the name was taken meanwhile, ``DiskFull``, ``FileUnreadable``.
    """
    with places.workspace(path.parent, path.name) as folder:
        temporary = folder / path.name
        sqlite.create_exclusively(temporary)
        yield temporary
        places.publish(temporary, path)


@contextmanager
def file_connection(path: Path) -> Iterator[Connection]:
    """Give a connection in a writing transaction on a new file; at its end the file is whole, no journal beside it."""
    engine = sqlite.engine(path, busy_timeout=1)
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        sqlite.prepare(raw, wal=sqlite.wal_is_safe(sqlite.version()))
        connection.execution_options(writes=True)
        with connection.begin():
            yield connection
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _database(ctx: Context, at: Place, home: Path) -> Iterator[Connection]:
    opened = Store(at, ctx.settings, home)
    with opened.guarded(), opened.engine.connect() as connection:
        connection.execution_options(lockless=True)
        with connection.begin():
            # two that create at once: the second waits here, and then finds the first one's tables
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (sqlite.APPLICATION_ID,))
            if sa.inspect(connection).get_table_names():
                raise Conflict(problem=_("the database {path} is not empty").format(path=at.label))
            yield connection
