"""The opened store: its engine, what it is, its transactions, and the check of the anchor before anything is read."""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from usermgmt.kernel import registry, sqlite, storekeys
from usermgmt.kernel.errors import (
    IntegrityBroken,
    NoStore,
    NotAStore,
    SchemaNewer,
    SchemaOld,
    StoreBusy,
    UsageProblem,
)
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.tables import audit_entry, audit_head, store_meta
from usermgmt.kernel.turns import turn
from usermgmt.migrations import HEAD, KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.exc import DBAPIError

    from usermgmt.kernel.audit.anchor import Anchor
    from usermgmt.kernel.cipher import StoreKey
    from usermgmt.kernel.settings import Settings
    from usermgmt.kernel.turns import Turn

_CHANGING = re.compile(
    r"\s*(?:INSERT|UPDATE|DELETE|MERGE|COPY|TRUNCATE|WITH\b.*\b(?:INSERT|UPDATE|DELETE|MERGE))\b",
    re.IGNORECASE | re.DOTALL,
)


@cache
def _unaudited() -> re.Pattern[str]:
    """Return what a change begins with that needs no entry: one of the audit, of an operational table, of an index."""
    tables = "|".join(sorted({"audit_(?:entry|pii|head|base|denial)", *registry.operational(), *registry.indexes()}))
    return re.compile(rf'\s*(?:INSERT\s+INTO|COPY|UPDATE|DELETE\s+FROM)\s+"?(?:{tables})\b', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Meta:
    """What the store is: its id, its lineage (1, and one more per restore), whether its clock is simulated."""

    store_id: str
    lineage: int
    simulated: bool
    region: str | None
    created_at: str
    schema: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is: a file, or a URL; ``label`` is what may be printed of it."""

    path: Path | None
    url: Any
    label: str

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return "sqlite" if self.path is not None else "postgresql"


def place(location: str, cwd: Path, *, given: bool = False) -> Place:
    """Read a store's location; ``given`` on the command line, where a password is refused.

    Raises ``UsageProblem``.
    """
    if "://" not in location:
        path = Path(location)
        path = path if path.is_absolute() else cwd / path
        return Place(path, None, str(path))
    from usermgmt.kernel import postgres

    url = postgres.parse(location)
    if given and url.password:
        raise UsageProblem(
            problem=_("a password on the command line is seen by every account of this host"),
            hint=N_("use peer login, ~/.pgpass, or store.password_file"),
        )
    return Place(None, url, postgres.printable(url))


def roots(at: Place, settings: Settings, home: Path) -> tuple[Path, Path]:
    """Return the directories with the keys and with the anchors of the store at ``at``, by store id."""
    base = at.path.parent if at.path is not None else home
    return storekeys.root(settings, base), settings.path("audit.anchor_dir") or base / "anchors"


class Store:
    """One store, opened for one invocation; every transaction begins with the same checks."""

    def __init__(
        self, at: Place, settings: Settings, home: Path, *, accept: tuple[str, ...] = (HEAD,), anchored: bool = True
    ) -> None:
        """Make the engine; nothing is read yet. ``home`` holds keys and anchors of a store that is no file.

        ``accept`` names the revisions of the schema that are taken, for what migrates or describes a store;
        ``anchored=False`` leaves out the comparison with the anchors, for what mends a store that fails it.
        Raises ``NoStore``, ``NotAStore``, ``UnsafeStore``, ``Unavailable``, and what ``storekeys.find`` raises.
        """
        self.place = at
        self.key: StoreKey | None = None
        self.key_file: Path | None = None
        self._accept = accept
        self._anchored = anchored
        self.settings = settings
        self.busy_timeout: float = settings.seconds("store.busy_timeout")
        self._meta: Meta | None = None
        self._key_root, self._anchor_root = roots(at, settings, home)
        self.engine = self._engine()
        self.changed = 0
        self._held: Connection | None = None
        self._turn: Turn | None = None
        event.listen(self.engine, "before_cursor_execute", self._before)
        event.listen(self.engine, "after_cursor_execute", self._after)

    def _engine(self) -> Engine:
        if self.place.path is not None:
            return sqlite.engine(self.place.path, busy_timeout=self.busy_timeout, key=self._find_key)
        from usermgmt.kernel import postgres

        url = postgres.with_password(self.place.url, self.settings.path("store.password_file"))
        return postgres.engine(url, busy_timeout=self.busy_timeout, tls=self.settings.text("store.tls"))

    def _find_key(self) -> StoreKey | None:
        """Look at the file once more: its key, where it is encrypted, else None."""
        assert self.place.path is not None
        self.key = self.key_file = None
        store_id = sqlite.check_file(self.place.path)
        if store_id is not None:
            sqlite.check_cipher(self.place.label)
            folder = self._key_root / store_id
            self.key, self.key_file = storekeys.find(self.place.path, store_id, self.settings, folder, self.place.label)
        return self.key

    # The net under every writing command: rows that changed without an entry are rolled back. SQLite counts changed
    # rows itself, whoever changed them and however; PostgreSQL says after each statement what it was.

    def _before(self, c: Connection, cursor: Any, _s: str, _p: Any, _x: Any, _many: bool) -> None:
        if self.dialect == "sqlite":
            self._notice(c, cursor.connection, "")

    def _after(self, c: Connection, cursor: Any, statement: str, _p: Any, _x: Any, _many: bool) -> None:
        if self.dialect == "sqlite":
            self._notice(c, cursor.connection, statement)
        elif cursor.rowcount and not _unaudited().match(statement):
            self.changed += bool(_CHANGING.match(statement) or _CHANGING.match(cursor.statusmessage or ""))

    def _notice(self, c: Connection, raw: Any, statement: str) -> None:
        total = raw.total_changes
        if total != c.info.get("changes", 0):
            c.info["changes"] = total
            if not _unaudited().match(statement):
                self.changed += 1

    def settle(self, c: Connection) -> None:
        """Notice what was changed below SQLAlchemy since its last statement."""
        if self.dialect == "sqlite":
            self._notice(c, c.connection.driver_connection, "")

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.place.dialect

    @property
    def meta(self) -> Meta:
        """What the store is; known from the first transaction on."""
        if self._meta is None:
            with self.reading():
                pass
        assert self._meta is not None
        return self._meta

    @property
    def key_dir(self) -> Path:
        """The directory with this store's keys."""
        return self._key_root / self.meta.store_id

    @property
    def anchor_file(self) -> Path:
        """The file, outside the store, with this store's anchors."""
        return self._anchor_root / f"{self.meta.store_id}.jsonl"

    def has_wal(self, connection: Connection) -> bool:
        """Tell whether a writer may commit beside an open reader: always on PostgreSQL, on SQLite with WAL."""
        return self.dialect != "sqlite" or connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Give a connection to a SQLite store that nobody else has open, and keep everybody else waiting meanwhile.

        No transaction is begun, and nothing that is written is audited. Raises ``StoreBusy``.
        """
        path = self.place.path
        assert path is not None
        try:
            with self.guarded(), turn(path, self.busy_timeout) as mine:
                engine = sqlite.engine(path, busy_timeout=mine.left, key=self._find_key, exclusive=True)
                with engine.connect() as connection:
                    connection.execution_options(lockless=True)
                    yield connection
        except StoreBusy as busy:
            held = N_("end what has it open, as audit tail --follow does, or raise store.busy_timeout")
            raise StoreBusy(hint=held, **busy.facts) from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a read-only transaction: one snapshot, however long the list."""
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in the writers' transaction: committed at the end, rolled back on any exception."""
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keep one connection for the writers' transactions to come: bulk work would begin each with no page in memory.

        Only for transactions that follow one another.
        """
        with self.guarded(), self.engine.connect() as connection:
            if self.dialect == "sqlite":
                sqlite.for_bulk(connection.connection.driver_connection)
            self._held = connection
            try:
                yield
            finally:
                self._held = None

    @contextmanager
    def _connection(self, *, writes: bool) -> Iterator[Connection]:
        if writes and self._held is not None:
            yield self._held
            return
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        line = self.in_line() if writes else nullcontext()
        # whoever waits has no connection: a store is encrypted when nobody has it open
        with self.guarded(), line as mine, self._connection(writes=writes) as connection:
            if mine is not None:
                sqlite.be_patient(connection.connection.driver_connection, mine.left)
            last = self._identify(connection)
            connection.execution_options(lockless=False, writes=writes)
            with connection.begin():
                if last is not None:
                    self._check_anchor(connection, last)
                yield connection

    @contextmanager
    def in_line(self) -> Iterator[Turn | None]:
        """Wait in line for the writers' lock, which a connection takes inside; on PostgreSQL the lock is the line.

        Gives None where the lock waits by itself. Raises ``StoreBusy``, ``UnsafeStore``.
        """
        if self.place.path is None:
            yield None
            return
        with turn(self.place.path, self.busy_timeout) as mine:
            self._turn = mine
            try:
                yield mine
            finally:
                self._turn = None

    def waited_for(self) -> bool:
        """Tell, within the writers' transaction of ``holding``, whether another writer waits for its end."""
        if self._turn is not None:
            return self._turn.waited_for()
        assert self._held is not None
        from usermgmt.kernel import postgres

        return postgres.waited_for(self._held)

    def _identify(self, connection: Connection) -> Anchor | None:
        """Read what the store is, and then its last anchor, before the snapshot that is compared with it begins.

        The order matters: the head first and then the anchor would see another writer's newer anchor as a rollback.
        """
        if self._meta is not None:
            return None
        connection.execution_options(lockless=True)
        with connection.begin():
            self._meta = describe(connection, self.place.label, self._accept)
        if not self._anchored:
            return None
        from usermgmt.kernel.audit import anchor

        return anchor.last(self.anchor_file)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn the driver's errors into ours."""
        from sqlalchemy.exc import DBAPIError

        with sqlite.guarded(self.busy_timeout):
            try:
                yield
            except DBAPIError as error:
                ours = self.translate(error)
                if ours is None:
                    raise
                raise ours from None

    def translate(self, error: DBAPIError) -> Exception | None:
        """Return our error for a driver's, or None where it is a fault of ours."""
        if self.dialect == "sqlite":
            if "no such table" in str(error.orig):
                return NotAStore(path=self.place.label, problem=_("its tables are missing"))
            return sqlite.translate(error.orig, self.busy_timeout)
        if isinstance(error.orig, sqlite.driver().Error):
            # a backup's file beside the database
            return sqlite.translate(error.orig, self.busy_timeout)
        from usermgmt.kernel import postgres

        if postgres.missing_relation(error.orig):
            return NoStore(path=self.place.label)
        return postgres.translate(error.orig, self.busy_timeout)

    def _check_anchor(self, connection: Connection, last: Anchor) -> None:
        # read again: a restore between the two transactions changes the lineage
        lineage = connection.execute(sa.select(store_meta.c.lineage)).scalar_one()
        if last.lineage < lineage:
            return
        if last.lineage > lineage:
            raise rolled_back(
                _("a restored store or a copy, of lineage {n}, was put to use since").format(n=last.lineage)
            )
        head = connection.execute(sa.select(audit_head.c.seq)).scalar()
        if head is None:
            raise IntegrityBroken(problem=_("the head of the audit is missing"))
        if head < last.n:
            text = _("its audit ends at entry {head}, but entry {n} was anchored")
            raise rolled_back(text.format(head=head, n=last.n))
        found = connection.execute(sa.select(audit_entry.c.hash).where(audit_entry.c.seq == last.n)).scalar()
        if last.n and found != last.hash and not self._was_removed(connection, last):
            raise IntegrityBroken(problem=_("audit entry {n} is not the one that was anchored").format(n=last.n))

    def _was_removed(self, connection: Connection, last: Anchor) -> bool:
        # seldom, where the anchors stopped before a prune; so what it takes is imported here
        from usermgmt.kernel.audit.base import bears_out

        return bears_out(connection, last.store, last.n, last.hash)


def describe(connection: Connection, label: str, accept: tuple[str, ...] = (HEAD,)) -> Meta:
    """Return what the store on ``connection`` is; ``label`` names it in errors.

    Raises ``SchemaOld`` and ``SchemaNewer`` for a revision that is not in ``accept``, ``NotAStore``.
    """
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none() or ""
    if found not in accept:
        raise SchemaOld(found=found, needed=HEAD) if found in KNOWN else SchemaNewer(found=found or "?", needed=HEAD)
    # by name: an older revision may lack a column that this program's table has
    columns = [store_meta.c[name] for name in Meta.__slots__ if name != "schema"]
    row = connection.execute(sa.select(*columns)).one_or_none()
    if row is None:
        raise NotAStore(path=label, problem=_("it does not say what it is"))
    return Meta(**row._mapping, schema=found)  # noqa: SLF001 - SQLAlchemy's public name


def rolled_back(problem: str) -> IntegrityBroken:
    """Return the error for a store that is older than its anchors."""
    return IntegrityBroken(
        problem=_("the store is older than its anchor: {problem}").format(problem=problem),
        hint=N_("put the current file back, or take this one on purpose: usermgmt store restore FILE"),
    )
