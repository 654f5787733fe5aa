"""A copy of a store as one SQLite file of one snapshot, and a copy put over a SQLite store in one step."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from usermgmt.domains.store import contents, rows
from usermgmt.kernel import sqlite
from usermgmt.kernel.errors import StoreBusy
from usermgmt.kernel.turns import turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.domains.store.contents import Head
    from usermgmt.kernel.cipher import StoreKey
    from usermgmt.kernel.store import Store

PAGES = 1024
"""Pages copied before a signal is heeded."""
_RETRY = 0.05


@contextmanager
def raw_connection(path: Path, patience: float = 1, key: StoreKey | None = None) -> Iterator[Any]:
    """Give the driver's own connection to a SQLite file, set up as the laws of data say."""
    proxy = sqlite.engine(path, busy_timeout=patience, key=key).raw_connection()
    try:
        yield proxy.driver_connection
    finally:
        proxy.close()


def snapshot(
    connection: Connection,
    schema: str,
    to: Path,
    key: StoreKey | None,
    tell: Callable[[int], None] = rows.no_progress,
) -> None:
    """Copy all that ``connection`` sees into the new file ``to``, which ends without a journal beside it.

    ``tell`` is told of each chunk of rows from PostgreSQL; the pages of a file are copied much faster.

    ``connection`` is in a reading transaction that has read already: what is written meanwhile is not in the copy.
    ``key`` is that of the store: what is encrypted is so in the copy too.
    """
    sqlite.create_exclusively(to)
    if connection.dialect.name != "sqlite":
        rows.fetch(connection, schema, to, tell)
        return
    source: Any = connection.connection.driver_connection
    with raw_connection(to, key=key) as target:
        source.backup(target, pages=PAGES)
        stand_alone(target)


def stand_alone(raw: Any) -> None:
    """Give a file the journal mode in which nothing stands beside it, so that it can be read from anywhere."""
    raw.execute("PRAGMA journal_mode=DELETE")


def recode(source: Any, to: Path, key: StoreKey | None) -> None:
    """Copy all of a driver's connection into the new file ``to``, encrypted with ``key``, or plain without one.

    Not page by page: an encrypted page holds less than a plain one.
    """
    sqlite.create_exclusively(to)
    source.execute(
        "ATTACH DATABASE ? AS recoded KEY ?", (f"file:{sqlite.quoted(to)}?mode=rw", key.given() if key else "")
    )
    # nobody else sees the file: it is thrown away where this fails, and made durable once it is whole
    source.execute("PRAGMA recoded.journal_mode=OFF")
    source.execute("PRAGMA recoded.synchronous=OFF")
    source.execute(f"PRAGMA recoded.application_id={sqlite.APPLICATION_ID}")
    source.execute("SELECT sqlcipher_export('recoded')")
    source.execute("DETACH DATABASE recoded")


@contextmanager
def new_generation(path: Path, key: StoreKey | None = None) -> Iterator[Connection]:
    """Give a connection in a writing transaction on a file that is to be a store; it is whole at the end, alone."""
    engine = sqlite.engine(path, busy_timeout=1, key=key)
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        sqlite.prepare(raw, wal=sqlite.wal_is_safe(sqlite.version()))
        connection.execution_options(writes=True)
        with connection.begin():
            yield connection
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _Fence:
    """Called after each step of a copy: gives up where the lock cannot be had, and calls ``locked`` once it is."""

    def __init__(self, patience: float, locked: Callable[[], None]) -> None:
        self.patience = patience
        self.limit = time.monotonic() + patience
        self.locked = locked
        self.held = False

    def __call__(self, _status: int, _remaining: int, total: int) -> None:
        if self.held:
            return
        # a step that found the store locked has not counted its pages
        if total:
            self.held = True
            self.locked()
        elif time.monotonic() > self.limit:
            raise StoreBusy(seconds=f"{self.patience:g}")


def overwrite(live: Store, copy: Path, finish: Callable[[Head], None]) -> None:
    """Make the SQLite store ``live`` what the file ``copy`` is: whoever has it open sees the old or the new one.

    Both are encrypted with the key of ``live``, or plain.
    ``finish`` is called with the head of ``live`` once no writer can move it any more, and may still write to
    ``copy``: the driver begins its copy anew then. Raises ``StoreBusy``, ``DiskFull`` and what ``finish`` raises; the
    store is then as it was.
    """
    assert live.place.path is not None
    path, key = live.place.path, live.key
    with (
        raw_connection(copy, key=key) as source,
        turn(path, live.busy_timeout) as mine,
        raw_connection(path, mine.left, key) as target,
    ):
        _same_pages(source, target)
        if target.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            _beside_readers(live, source, target, finish)
        else:
            _alone(live, source, target, finish)


def _same_pages(source: Any, target: Any) -> None:
    size = target.execute("PRAGMA page_size").fetchone()[0]
    if source.execute("PRAGMA page_size").fetchone()[0] != size:
        # a store in WAL mode cannot change the size of its pages
        source.execute(f"PRAGMA page_size={size}")
        source.execute("VACUUM")


def _beside_readers(live: Store, source: Any, target: Any, finish: Callable[[Head], None]) -> None:
    """Copy while others read: the first step takes the writers' lock, and the old head can still be read then."""

    def locked() -> None:
        with live.reading() as connection:
            old = contents.head(connection)
        finish(old)

    # a copy that is whole after its first step would be committed before the old head is known
    pages = min(PAGES, source.execute("PRAGMA page_count").fetchone()[0] // 2)
    source.backup(target, pages=pages, progress=_Fence(live.busy_timeout, locked), sleep=_RETRY)
    # who still reads the old pages keeps the log from being emptied: whoever comes last does it then
    target.execute("PRAGMA busy_timeout=0")
    target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _alone(live: Store, source: Any, target: Any, finish: Callable[[Head], None]) -> None:
    """Copy with a rollback journal, where nobody can read beside a writer: the lock is taken first and kept."""
    target.execute("PRAGMA locking_mode=EXCLUSIVE")
    target.execute("BEGIN EXCLUSIVE")
    query = "SELECT audit_head.seq, audit_head.hash, store_meta.lineage FROM audit_head JOIN store_meta USING (id)"
    old = target.execute(query).fetchone()
    target.execute("COMMIT")
    finish(contents.Head(*old))
    source.backup(target, pages=PAGES, progress=_Fence(live.busy_timeout, lambda: None), sleep=_RETRY)
