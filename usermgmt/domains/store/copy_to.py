"""``store copy-to``: all of the store in another place, of either engine, as a new lineage of it.

The order, as with a backup: copy one snapshot, verify, entry in the audit of the original, key and anchors, and last
the name or the commit. Killed before that there is no copy: a file in the making has a private directory, a database an
open transaction.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.domains.audit import stated
from usermgmt.domains.audit.report import Report
from usermgmt.domains.store import backup, contents, copying, keeping, places, rows, verifying
from usermgmt.domains.store.errors import CopyBroken, OtherKey, TargetTaken
from usermgmt.domains.store.restore import begin_lineage
from usermgmt.domains.store.standing import Standing, held
from usermgmt.kernel import schema, sqlite, storekeys
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.base import last_prune
from usermgmt.kernel.audit.entries import parsed
from usermgmt.kernel.errors import Unavailable
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.invocation import data_home
from usermgmt.kernel.progress import progress
from usermgmt.kernel.results import CREATED, Change
from usermgmt.kernel.store import Store, place, roots
from usermgmt.kernel.tables import audit_entry
from usermgmt.kernel.transaction import anchor, record
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.domains.store.contents import Head
    from usermgmt.kernel.audit.log import Log
    from usermgmt.kernel.cipher import StoreKey
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Meta, Place

NOUN = N_("copy")


@dataclass(frozen=True, slots=True)
class Copy:
    """What is copied where: the store and what it held at the moment of the copy, and the place that it is for."""

    ctx: Context
    to: Standing
    head: Head
    counts: dict[str, int]
    lineage: int

    @property
    def meta(self) -> Meta:
        """What the copy is: the same store, of another lineage."""
        return replace(self.ctx.store.meta, lineage=self.lineage)

    @property
    def key_dir(self) -> Path:
        """The directory for the key of the copy."""
        return self.to.key_dir(self.meta.store_id)

    @property
    def anchor_file(self) -> Path:
        """The file for the anchors of the copy."""
        return self.to.anchor_file(self.meta.store_id)

    @property
    def shares_anchors(self) -> bool:
        """Whether the anchors of the copy are those of the original."""
        return _same(self.anchor_file, self.ctx.store.anchor_file)

    @property
    def key(self) -> StoreKey | None:
        """The key of an encrypted file: that of the original, None where there is none to keep."""
        return self.ctx.store.key if self.to.place.path is not None else None

    def check(self, connection: Connection) -> None:
        """Verify the copied rows; raises ``CopyBroken``."""
        _check(connection, self.ctx.store.meta, self.head)
        if contents.counts(connection) != self.counts:
            raise CopyBroken(problem=_("it does not hold what the store held"))

    def begin(self, connection: Connection) -> Log:
        """Begin the new lineage in the verified copy."""
        facts = {"from": self.head.facts(), "engine": self.ctx.store.dialect}
        return begin_lineage(self.ctx, connection, self.meta, E.STORE_COPY, facts)

    def announce(self) -> None:
        """Record the copy in the audit of the original, and give the copy its key and the anchors so far.

        Before it is there for others: no copy of everybody's data may lie about that the log does not know of.
        """
        facts = {"engine": self.to.place.dialect, "lineage": self.lineage, "from": self.head.facts()}
        record(self.ctx, E.STORE_COPY_TO, "store", facts=facts)
        _copy_keys(self)
        _copy_anchors(self)


def copy_to(ctx: Context, location: str) -> Change:
    """Copy the store to ``location``, a path where nothing is or the URL of an empty database.

    Raises ``FileExists``, ``TargetTaken``, ``OtherKey``, ``CopyBroken``, ``DiskFull``, ``FileMissing``,
    ``Unavailable``.
    """
    at = place(location, ctx.cwd, given=True)
    to = Standing(at, *roots(at, ctx.settings, data_home(ctx.env)))
    into = _into_database if at.path is None else _into_file
    _check_key(ctx, to)
    _check_encryption(ctx, at)
    if ctx.dry_run:
        return _rehearsed(ctx, to)
    copy, log = into(ctx, to)
    if not copy.shares_anchors:
        _anchor(copy, log)
    _tell(copy)
    return _change(copy, log.seq)


def _check_encryption(ctx: Context, at: Place) -> None:
    """Make sure that what the configuration wants encrypted stays so; raises ``MustBeEncrypted``."""
    if at.path is not None:
        keeping.check_wanted(ctx, at, ctx.store.key)
    elif ctx.store.key is not None:
        ctx.warn(_("the store is encrypted, and a database is not: only its server could encrypt it"))


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _check(connection: Connection, meta: Meta, head: Head) -> None:
    """Verify schema, audit and state of a store; raises ``CopyBroken``."""
    problem = schema.compare(connection, meta.schema).problem
    problem = problem or verifying.audit(connection, meta.store_id, head)[0]
    if not problem:
        report = Report()
        stated.check(connection, report)
        problem = report.findings[0]["message"] if report.findings else ""
    if problem:
        raise CopyBroken(problem=problem)


@contextmanager
def _moment(ctx: Context, to: Standing) -> Iterator[tuple[Connection, Copy]]:
    """Give a connection whose snapshot has begun, and what it sees."""
    with ctx.store.reading() as connection:
        head = contents.head(connection)
        yield connection, Copy(ctx, to, head, contents.counts(connection), _lineage(ctx, connection, to, head))


def _lineage(ctx: Context, connection: Connection, to: Standing, head: Head) -> int:
    """Return the number of the new lineage, after every one that the store, its copies or anchors knew."""
    query = sa.select(audit_entry.c.body).where(
        audit_entry.c.action == E.STORE_COPY_TO.value, audit_entry.c.outcome == "ok"
    )
    stated_ = [parsed(body).get("lineage") for body in connection.execute(query).scalars()]
    known = [anchors.last(path) for path in (ctx.store.anchor_file, to.anchor_file(ctx.store.meta.store_id))]
    stated_.append(last_prune(connection).get("last_lineage"))
    lineages = [head.lineage, *(one.lineage for one in known if one), *(n for n in stated_ if isinstance(n, int))]
    return max(lineages) + 1


# -- a file ------------------------------------------------------------------------------------------------------------


def _into_file(ctx: Context, to: Standing) -> tuple[Copy, Log]:
    path = to.place.path
    assert path is not None
    _check_file(ctx, path)
    with places.workspace(path.parent, path.name) as folder:
        made = folder / path.name
        with _moment(ctx, to) as (connection, copy), _progress(copy) as tell:
            copying.snapshot(connection, copy.meta.schema, made, copy.key, tell)
        verifying.whole_file(made, copy.key)
        with copying.new_generation(made, copy.key) as target:
            copy.check(target)
            log = copy.begin(target)
        copy.announce()
        places.publish(made, path)
    return copy, log


def _check_file(ctx: Context, path: Path) -> None:
    places.check_free(path, backup.size(ctx.store) if ctx.store.dialect == "sqlite" else 0)
    for left in path.parent.glob(f".{path.name}.*"):
        ctx.warn(_("a run that was killed left {path}; remove it once no other runs").format(path=left))


# -- a database --------------------------------------------------------------------------------------------------------


def _into_database(ctx: Context, to: Standing) -> tuple[Copy, Log]:
    with _empty_database(ctx, to) as target:
        upgrade(target)
        with _moment(ctx, to) as (connection, copy), _progress(copy) as tell:
            rows.pour(connection, target, tell)
        # what the verification, and then everybody, asks is planned by what is there now
        target.exec_driver_sql("ANALYZE")
        copy.check(target)
        log = copy.begin(target)
        copy.announce()
    return copy, log


@contextmanager
def _empty_database(ctx: Context, to: Standing) -> Iterator[Connection]:
    """Give a connection in a transaction on an empty database; what is made in it is there at the end, or nothing."""
    from usermgmt.kernel import postgres

    store = Store(to.place, ctx.settings, data_home(ctx.env))
    with store.guarded(), postgres.guarded(store.busy_timeout), store.engine.connect() as connection:
        connection.execution_options(lockless=True)
        with connection.begin():
            # two that fill it at once: the second waits here, and then finds what the first one made
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (sqlite.APPLICATION_ID,))
            _check_database(connection, to)
            yield connection


def _check_database(connection: Connection, to: Standing) -> None:
    if names := held(connection):
        raise TargetTaken(path=to.place.label, names=", ".join(names[:5]))
    query = "SELECT current_setting('server_encoding'), has_schema_privilege('public', 'CREATE')"
    encoding, may_create = connection.exec_driver_sql(query).one()
    if encoding != "UTF8":
        problem = _("the encoding of the database is {encoding}, which cannot hold every name")
        raise Unavailable(problem=problem.format(encoding=encoding), hint=N_("createdb --encoding=UTF8 NAME"))
    if not may_create:
        problem = _("the login may not make tables in the database")
        raise Unavailable(problem=problem, hint=N_("GRANT CREATE ON SCHEMA public TO ..."))


# -- key and anchors ---------------------------------------------------------------------------------------------------


def _check_key(ctx: Context, to: Standing) -> None:
    """Make sure that no other key is where that of the copy goes; raises ``OtherKey``."""
    folder = to.key_dir(ctx.store.meta.store_id)
    with suppress(keys.KeyFault):
        if keys.load_key(folder).public != keys.load_key(ctx.store.key_dir).public:
            raise OtherKey(path=folder)


def _copy_keys(copy: Copy) -> None:
    source = copy.ctx.store.key_dir
    if _same(source, copy.key_dir):
        return
    if copy.key is not None:
        _copy_key_of_file(copy)
    try:
        if not keys.copy_key(source, copy.key_dir):
            raise OtherKey(path=copy.key_dir)
    except keys.KeyFault as error:
        copy.ctx.warn(_("the copy has no key: {problem}").format(problem=error.message))


def _copy_key_of_file(copy: Copy) -> None:
    """Copy the key of an encrypted store as it is, sealed or not, unless the settings name one place for both."""
    source = copy.ctx.store.key_file
    if source is None or not _same(source.parent, copy.ctx.store.key_dir):
        return
    path = copy.key_dir / source.name
    data = source.read_bytes()
    if not path.exists():
        storekeys.write(path, data)
    elif path.read_bytes() != data:
        raise OtherKey(path=path)


def _copy_anchors(copy: Copy) -> None:
    """Give the copy the anchors of the original; those that are there already stay, and only go forwards."""
    if copy.shares_anchors:
        return
    try:
        for one in anchors.read_all(copy.ctx.store.anchor_file).anchors:
            anchors.append(copy.anchor_file, one, lambda known: known)
    except anchors.AnchorFault as error:
        copy.ctx.warn(_("the anchors were not copied: {problem}").format(problem=error.message))


def _anchor(copy: Copy, log: Log) -> None:
    original = copy.ctx.store
    copy.ctx.use(Store(copy.to.place, copy.ctx.settings, data_home(copy.ctx.env)))
    try:
        anchor(copy.ctx, log)
    finally:
        copy.ctx.use(original)


# -- the answer --------------------------------------------------------------------------------------------------------


@contextmanager
def _progress(copy: Copy) -> Iterator[Callable[[int], None]]:
    done = 0
    with progress(copy.ctx, copy.to.place.label, sum(copy.counts.values())) as bar:

        def tell(count: int) -> None:
            nonlocal done
            done += count
            bar.at(done, done)

        yield tell


def _rehearsed(ctx: Context, to: Standing) -> Change:
    if to.place.path is not None:
        _check_file(ctx, to.place.path)
    else:
        with _empty_database(ctx, to):
            pass
    with _moment(ctx, to) as (connection, copy):
        _check(connection, ctx.store.meta, copy.head)
    ctx.note(_("would copy {n} rows").format(n=sum(copy.counts.values())))
    if not _same(ctx.store.key_dir, copy.key_dir):
        ctx.note(_("would copy the key to {path}").format(path=copy.key_dir))
    if not copy.shares_anchors:
        ctx.note(_("would copy the anchors to {path}").format(path=copy.anchor_file))
    ctx.note(_("would begin lineage {n} with an entry in the audit").format(n=copy.lineage))
    _tell(copy)
    return _change(copy, copy.head.n + 1)


def _tell(copy: Copy) -> None:
    if copy.shares_anchors:
        told = _(
            "both keep their anchors in {path}: with the first entry of its own, of a change or an export, the copy "
            "becomes the store, and this one is refused from then on"
        )
        copy.ctx.note(told.format(path=copy.anchor_file))


def _change(copy: Copy, entries: int) -> Change:
    label = copy.to.place.label
    return Change(
        CREATED,
        NOUN,
        label,
        {
            "location": label,
            "engine": copy.to.place.dialect,
            "store_id": copy.meta.store_id,
            "lineage": copy.lineage,
            "schema": copy.meta.schema,
            "entries": entries,
            "counts": copy.counts,
            "encrypted": None if copy.to.place.path is None else copy.key is not None,
            "from": copy.head.facts(),
            "keys": str(copy.key_dir),
            "anchors": str(copy.anchor_file),
        },
        note=_("up to audit entry {n}; lineage {lineage}").format(n=copy.head.n, lineage=copy.lineage),
    )
