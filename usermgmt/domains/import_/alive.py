"""Which runs are really going on: each holds a lock that ends with its process, however that ends.

Beside a SQLite store it is a byte of the file by which writers stand in line (``kernel.turns``), on PostgreSQL an
advisory lock of a session of its own, which counts on every host.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from usermgmt.domains.import_.errors import StillRunning
from usermgmt.kernel import turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.store import Store

_HELD = """
SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def going_on(store: Store, run: str) -> Iterator[None]:
    """Hold the lock of ``run``; raises ``StillRunning`` where another process has it."""
    path = store.place.path
    with turns.job(path, _number(run)) if path is not None else _on_server(store, _number(run)) as mine:
        if not mine:
            raise StillRunning(run=run)
        yield


def among(connection: Connection, store: Store, runs: Iterable[str]) -> set[str]:
    """Return those of ``runs`` that are going on."""
    numbers = {_number(run): run for run in runs}
    if store.place.path is not None:
        held = turns.jobs(store.place.path, numbers)
    else:
        held = {row[0] for row in connection.exec_driver_sql(_HELD)}
    return {run for number, run in numbers.items() if number in held}


def _number(run: str) -> int:
    """Return the last 60 bits of the id, of which 48 are random."""
    return int(run.replace("-", "")[-15:], 16)


@contextmanager
def _on_server(store: Store, number: int) -> Iterator[bool]:
    with store.guarded(), store.engine.connect() as connection:
        connection.execution_options(lockless=True)
        with connection.begin():
            found = connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (number,)).scalar_one()
        yield bool(found)
