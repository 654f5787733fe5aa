"""Making a store: the schema, its first audit entry, its key, and then, all at once, its name."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt import __version__
from usermgmt.domains.store import copying, info, keeping, places
from usermgmt.kernel import sqlite
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.log import Log, first_head
from usermgmt.kernel.errors import Conflict, Invalid, NoStore
from usermgmt.kernel.events import E
from usermgmt.kernel.files import private_directory
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import CREATED, UNCHANGED, Change
from usermgmt.kernel.store import Meta, Place, Store, roots
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.kernel.transaction import anchor
from usermgmt.migrations import HEAD
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.cipher import StoreKey
    from usermgmt.kernel.context import Context


class OtherStore(Conflict):
    """There is a store at {path} already, and its {option} is {actual}."""

    code = "store.exists"
    hint = N_("leave the option out, or name another place with --store")


def init(
    ctx: Context, at: Place, home: Path, *, simulate: bool, region: str, passphrase: bytes | None, encrypt: bool = False
) -> Change:
    """Create the store at ``at``; ``unchanged`` where one is there that agrees with the options.

    ``encrypt`` makes an encrypted file, whose key file ``passphrase`` seals.
    Raises ``OtherStore``, ``Invalid``, ``NotAStore``, ``UnsafeStore``, ``DiskFull``, ``FileUnreadable``.
    """
    region = _region(region)
    if encrypt:
        keeping.check_possible(at)
    if (found := _existing(ctx, at, home)) is not None:
        return _agreeing(found, at, simulate=simulate, region=region, encrypt=encrypt)
    values = {"location": at.label, "engine": at.dialect, "simulated": simulate, "region": region or None}
    meta = Meta(ctx.random.uuid7(ctx.clock.now()), 1, simulate, region or None, ctx.now, HEAD)
    key = None
    if at.path is not None and (encrypt or keeping.required(ctx)):
        key = keeping.new_key(ctx, meta.store_id)
        keeping.check_place(ctx, roots(at, ctx.settings, home)[0] / meta.store_id, meta.store_id)
    if ctx.dry_run:
        encrypted = None if at.path is None else key is not None
        return Change(CREATED, "store", at.label, {**values, "store_id": None, "encrypted": encrypted})
    try:
        opened = make(ctx, at, home, meta, key, passphrase)
    except Conflict:
        # somebody was faster
        if (found := _existing(ctx, at, home)) is None:
            raise
        return _agreeing(found, at, simulate=simulate, region=region, encrypt=encrypt)
    values |= {"store_id": meta.store_id, "schema": meta.schema, **info.encryption(opened)}
    note = _("the key is in {path}: keep a copy of it elsewhere").format(path=opened.key_file) if key else ""
    return Change(CREATED, "store", at.label, values, note=note)


def _region(text: str) -> str:
    region = text.upper()
    if region:
        from phonenumbers import SUPPORTED_REGIONS

        if not re.fullmatch("[A-Z]{2}", region) or region not in SUPPORTED_REGIONS:
            raise Invalid(field="--region", problem=_("it is not a country code"), hint=N_("two letters, as CN or DE"))
    return region


def _existing(ctx: Context, at: Place, home: Path) -> Store | None:
    try:
        store = Store(at, ctx.settings, home)
        assert store.meta
    except NoStore:
        return None
    return store


def _agreeing(store: Store, at: Place, *, simulate: bool, region: str, encrypt: bool) -> Change:
    found = store.meta
    if encrypt and store.key is None:
        raise OtherStore(hint=N_("usermgmt store encrypt"), path=at.label, option="--encrypt", actual=_("no"))
    if simulate and not found.simulated:
        raise OtherStore(path=at.label, option="--simulate", actual=_("no"))
    if region and region != found.region:
        raise OtherStore(path=at.label, option="--region", actual=found.region or _("none"))
    values = {"location": at.label, "engine": at.dialect, "simulated": found.simulated, "region": found.region}
    values |= {"store_id": found.store_id, "schema": found.schema, **info.encryption(store)}
    return Change(UNCHANGED, "store", at.label, values)


def make(ctx: Context, at: Place, home: Path, meta: Meta, key: StoreKey | None, passphrase: bytes | None) -> Store:
    """Make the schema, the first entry and the keys, and give the store its place."""
    if at.path is None:
        with _database(ctx, at, home) as connection:
            log = _fill(ctx, connection, meta)
    else:
        private_directory(at.path.parent)
        kept = keeping.place(ctx, roots(at, ctx.settings, home)[0] / meta.store_id, key.id if key is not None else "")
        # the key first: a store that nobody can open must not be
        with (
            keeping.kept(ctx, kept, key, passphrase, at.path),
            new_file(at.path) as temporary,
            copying.new_generation(temporary, key) as connection,
        ):
            log = _fill(ctx, connection, meta, key)
    opened = Store(at, ctx.settings, home)
    keys.create_key(opened.key_dir)
    ctx.use(opened)
    anchor(ctx, log)
    return opened


def _fill(ctx: Context, connection: Connection, meta: Meta, key: StoreKey | None = None) -> Log:
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
    if key is not None:
        facts["key"] = key.id
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
