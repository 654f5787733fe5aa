"""Which runs are really going on: each holds a lock that ends with its process, however that ends.

On PostgreSQL it is an advisory lock of a session of its own, so that it counts on every host. Beside a SQLite store
lies one empty file, of which each run locks the byte that its id gives: such a lock (fcntl(2), open file description
locks) belongs to the opened file, so two runs of one process do not share theirs.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

from usermgmt.domains.import_.errors import StillRunning
from usermgmt.kernel.files import failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.store import Store

_FLOCK = "hhqqi"
"""``struct flock``: type, whence, start, length, process."""


@contextmanager
def going_on(store: Store, run: str) -> Iterator[None]:
    """Hold the lock of ``run``; raises ``StillRunning`` where another process has it."""
    with _on_file(store, run) if store.place.path is not None else _on_server(store, run):
        yield


def among(connection: Connection, store: Store, runs: Iterable[str]) -> set[str]:
    """Return those of ``runs`` that are going on."""
    if store.place.path is not None:
        return set(_locked(_beside(store), runs))
    query = "SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    mine = " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    held = {row[0] for row in connection.exec_driver_sql(query + mine)}
    return {run for run in runs if _number(run) in held}


def _number(run: str) -> int:
    """Return 60 bits of the id, of which 48 are random."""
    return int(run.replace("-", "")[-15:], 16)


@contextmanager
def _on_server(store: Store, run: str) -> Iterator[None]:
    with store.guarded(), store.engine.connect() as connection:
        connection.execution_options(lockless=True)
        with connection.begin():
            query = "SELECT pg_try_advisory_lock(%s)"
            if not connection.exec_driver_sql(query, (_number(run),)).scalar():
                raise StillRunning(run=run)
        yield


def _beside(store: Store) -> Path:
    path = store.place.path
    assert path is not None
    return path.with_name(path.name + "-runs")


@contextmanager
def _on_file(store: Store, run: str) -> Iterator[None]:
    path = _beside(store)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise failure(path, error) from None
    try:
        _lock(descriptor, run)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, run: str) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _byte(run))
    except BlockingIOError:
        raise StillRunning(run=run) from None


def _locked(path: Path, runs: Iterable[str]) -> Iterator[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        # nobody has imported anything here
        return
    try:
        for run in runs:
            found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _byte(run))
            if struct.unpack_from(_FLOCK, found)[0] != fcntl.F_UNLCK:
                yield run
    finally:
        os.close(descriptor)


def _byte(run: str) -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _number(run), 1, 0)
