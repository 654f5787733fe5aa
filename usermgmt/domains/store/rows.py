"""Rows between two stores of one revision, table by table: from SQLite or PostgreSQL, into SQLite or PostgreSQL.

On the way they are as SQLite keeps them, texts, whole numbers and nulls; PostgreSQL reads those texts as they are.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from usermgmt.domains.store import contents
from usermgmt.kernel import bulk, sqlite
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.cipher import StoreKey

CHUNK = 5000
"""Rows that are in memory at once."""
_VERSION = "alembic_version"
_UPDATED = (audit_head, store_meta)
"""Tables of one row that is changed and never removed: writers queue for one of them."""
_TEXTS = {
    "TIMESTAMP": """to_char("{0}" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""",
    "DATE": """to_char("{0}", 'YYYY-MM-DD')""",
    "BOOLEAN": '"{0}"::int',
    "JSONB": '"{0}"::text',
}
"""What gives the form that SQLite keeps, by the type on PostgreSQL; the text of JSON is written anew then."""


def no_progress(_rows: int) -> None:
    """Tell nobody how many rows there are now."""


def pour(source: Connection, target: Connection, tell: Callable[[int], None] = no_progress) -> None:
    """Give the tables of ``target``, which are empty, all that ``source`` sees; ``tell`` is told of each chunk.

    Ids go on after the last one that the source gave. The rows that writers queue for may be there: they are changed
    in place, so that whoever waits for them goes on with the new ones.
    """
    for name in _poured(target):
        columns = [one["name"] for one in sa.inspect(target).get_columns(name)]
        for rows in _read(source, name, columns):
            bulk.insert_rows(target, sa.table(name), columns, rows)
            tell(len(rows))
    for table in _UPDATED:
        _put_row(source, target, table)
    _set_serials(target, _serials(source))


def _poured(target: Connection) -> list[str]:
    return [name for name in contents.tables(target) if name not in (_VERSION, *(table.name for table in _UPDATED))]


def _read(source: Connection, name: str, columns: list[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table, few at a time, below SQLAlchemy's rows, which would take longer than the copying."""
    raw: Any = source.connection.driver_connection
    if source.dialect.name == "sqlite":
        listed = ", ".join(f'"{column}"' for column in columns)
        cursor = raw.execute(f'SELECT {listed} FROM "{name}"')  # noqa: S608 - names are ours
        while rows := cursor.fetchmany(CHUNK):
            yield rows
        return
    from usermgmt.kernel import postgres

    kinds = {one["name"]: type(one["type"]).__name__ for one in sa.inspect(source).get_columns(name)}
    listed = ", ".join(_TEXTS.get(kinds[column], '"{0}"').format(column) for column in columns)
    json = [i for i, column in enumerate(columns) if kinds[column] == "JSONB"]
    with postgres.guarded(0), raw.cursor(f"rows_of_{name}") as cursor:
        cursor.execute(f'SELECT {listed} FROM "{name}"')  # noqa: S608 - names are ours
        while rows := cursor.fetchmany(CHUNK):
            yield [_with_json(row, json) for row in rows] if json else rows


def _with_json(row: tuple[Any, ...], places: list[int]) -> tuple[Any, ...]:
    cells = list(row)
    for i in places:
        if cells[i] is not None:
            cells[i] = orjson.dumps(orjson.loads(cells[i]), option=orjson.OPT_SORT_KEYS).decode()
    return tuple(cells)


def _put_row(source: Connection, target: Connection, table: sa.Table) -> None:
    values = dict(source.execute(sa.select(table)).mappings().one())
    if not target.execute(sa.update(table).values(values)).rowcount:
        target.execute(sa.insert(table).values(values))


# -- the last ids ------------------------------------------------------------------------------------------------------


def _sequences(connection: Connection) -> dict[str, str]:
    """Return the sequence behind the ``id`` of each PostgreSQL table that has one."""
    rows = connection.exec_driver_sql(
        "SELECT t.relname, s.oid::regclass::text FROM pg_class s "
        "JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a' JOIN pg_class t ON t.oid = d.refobjid "
        "WHERE s.relkind = 'S' AND t.relnamespace = 'public'::regnamespace"
    )
    return {row[0]: row[1] for row in rows}


def _serials(connection: Connection) -> dict[str, int]:
    """Return the last id that each table gave, where it gave one."""
    if connection.dialect.name == "sqlite":
        return {row[0]: row[1] for row in connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")}
    query = "SELECT pg_sequence_last_value(%s::regclass)"
    found = {
        name: connection.exec_driver_sql(query, (sequence,)).scalar()
        for name, sequence in _sequences(connection).items()
    }
    return {name: last for name, last in found.items() if last is not None}


def _set_serials(target: Connection, last: dict[str, int]) -> None:
    """Let the ids of ``target`` go on after ``last``; forwards only, since no id may be given twice."""
    if target.dialect.name == "sqlite":
        for name, value in last.items():
            target.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            target.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, value))
        return
    for name, sequence in _sequences(target).items():
        if last.get(name):
            target.exec_driver_sql(
                f"SELECT setval(%s::regclass, GREATEST(%s, (SELECT last_value FROM {sequence})))",  # noqa: S608 - the catalogue's own quoted name
                (sequence, last[name]),
            )


# -- files -------------------------------------------------------------------------------------------------------------


def fetch(source: Connection, schema: str, to: Path, tell: Callable[[int], None] = no_progress) -> None:
    """Copy all that ``source`` sees into the empty file ``to``, with the tables that ``schema`` has on SQLite."""
    with _loading(to) as target:
        upgrade(target, schema)
        pour(source, target, tell)


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


def put(path: Path, target: Connection, key: StoreKey | None = None) -> None:
    """Make the rows of every table of ``target`` those of the file ``path``, which ``key`` opens if it is encrypted.

    Both have the same revision.
    """
    for name in reversed(_poured(target)):
        # not TRUNCATE, which empties the table also for those who still read the snapshot before
        target.execute(sa.delete(sa.table(name)))
    with sqlite.engine(path, busy_timeout=1, key=key).connect() as source, source.begin():
        pour(source, target)
