"""Rows between a SQLite file and PostgreSQL, table by table, whatever revision both have."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.store import contents
from usermgmt.kernel import sqlite
from usermgmt.kernel.audit.log import insert
from usermgmt.kernel.columns import Bool, DateText, Json, UtcDateTime
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection
    from sqlalchemy.types import TypeEngine

    from usermgmt.kernel.cipher import StoreKey

CHUNK = 5000
_VERSION = "alembic_version"
_UPDATED = (audit_head, store_meta)
"""Tables of one row that is changed and never removed: writers queue for one of them."""
_TYPES: dict[str, TypeEngine[Any]] = {
    "TIMESTAMP": UtcDateTime(),
    "DATE": DateText(),
    "BOOLEAN": Bool(),
    "JSONB": Json(),
}


def fetch(source: Connection, schema: str, to: Path) -> None:
    """Copy every row that ``source`` sees into the empty file ``to``, with the tables that ``schema`` has on SQLite."""
    with _loading(to) as target:
        upgrade(target, schema)
        for name in contents.tables(source):
            if name != _VERSION:
                _fetch_table(source, target, name)
        _fetch_serials(source, target)


@contextmanager
def _loading(path: Path) -> Iterator[Connection]:
    with sqlite.engine(path, busy_timeout=1).connect() as connection:
        raw: Any = connection.connection.driver_connection
        # nobody else sees the file: it is thrown away where this fails, and made durable once it is whole
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "secure_delete=OFF"):
            raw.execute(f"PRAGMA {pragma}")
        raw.execute(f"PRAGMA application_id={sqlite.APPLICATION_ID}")
        connection.execution_options(writes=True)
        with connection.begin():
            yield connection
        raw.execute("PRAGMA journal_mode=DELETE")


def _fetch_table(source: Connection, target: Connection, name: str) -> None:
    columns = sa.inspect(source).get_columns(name)
    table = sa.table(name, *(sa.column(one["name"], _TYPES.get(type(one["type"]).__name__)) for one in columns))
    json = [i for i, one in enumerate(table.columns) if isinstance(one.type, Json)]
    streamed = source.execute(sa.select(table), execution_options={"stream_results": True, "yield_per": CHUNK})
    for chunk in streamed.partitions(CHUNK):
        made = [tuple(row) for row in chunk]
        if json:
            made = [_with_json(row, json, target) for row in made]
        insert(target, table, made)


def _with_json(row: tuple[Any, ...], places: list[int], target: Connection) -> tuple[Any, ...]:
    cells = list(row)
    for i in places:
        cells[i] = None if row[i] is None else Json().process_bind_param(row[i], target.dialect)
    return tuple(cells)


def _serials(connection: Connection) -> dict[str, str]:
    """Return the sequence behind the ``id`` of each PostgreSQL table that has one."""
    rows = connection.exec_driver_sql(
        "SELECT t.relname, s.oid::regclass::text FROM pg_class s "
        "JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a' JOIN pg_class t ON t.oid = d.refobjid "
        "WHERE s.relkind = 'S' AND t.relnamespace = 'public'::regnamespace"
    )
    return {row[0]: row[1] for row in rows}


def _fetch_serials(source: Connection, target: Connection) -> None:
    for name, sequence in _serials(source).items():
        last, called = source.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608 - the catalogue's own quoted name
        if called:
            target.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            target.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))


# -- and back ----------------------------------------------------------------------------------------------------------


def put(path: Path, target: Connection, key: StoreKey | None = None) -> None:
    """Make the rows of every table of ``target`` those of the file ``path``; both have the same revision.

    ``key`` opens the file where it is encrypted.

    The rows that writers queue for are changed in place, so that whoever waits for them goes on with the new ones.
    """
    names = [name for name in contents.tables(target) if name not in (_VERSION, *(table.name for table in _UPDATED))]
    for name in reversed(names):
        # not TRUNCATE, which empties the table also for those who still read the snapshot before
        target.execute(sa.delete(sa.table(name)))
    with sqlite.engine(path, busy_timeout=1, key=key).connect() as source, source.begin():
        for name in names:
            _put_table(source, target, name)
        for table in _UPDATED:
            _put_row(source, target, table)
        _put_serials(source, target)


def _put_table(source: Connection, target: Connection, name: str) -> None:
    columns = ", ".join(f'"{one["name"]}"' for one in sa.inspect(target).get_columns(name))
    reader: Any = source.connection.driver_connection
    writer: Any = target.connection.driver_connection
    # the text forms that SQLite keeps are the ones that PostgreSQL reads: nothing needs converting
    with writer.cursor() as cursor, cursor.copy(f'COPY "{name}" ({columns}) FROM STDIN') as copy:
        for row in reader.execute(f'SELECT {columns} FROM "{name}"'):  # noqa: S608 - names are ours
            copy.write_row(row)


def _put_row(source: Connection, target: Connection, table: sa.Table) -> None:
    values = dict(source.execute(sa.select(table)).mappings().one())
    if not target.execute(sa.update(table).values(values)).rowcount:
        target.execute(sa.insert(table).values(values))


def _put_serials(source: Connection, target: Connection) -> None:
    last = {row[0]: row[1] for row in source.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}
    for name, sequence in _serials(target).items():
        if last.get(name):
            # forwards only: a sequence does not follow a rollback, and no id may be given twice
            target.exec_driver_sql(
                f"SELECT setval(%s::regclass, GREATEST(%s, (SELECT last_value FROM {sequence})))",  # noqa: S608 - the catalogue's own quoted name
                (sequence, last[name]),
            )
