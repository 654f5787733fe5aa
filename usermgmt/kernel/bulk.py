"""Inserts and finds many rows at once, in the form that the drivers take fastest."""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection


@contextmanager
def many_objects() -> Iterator[None]:
    """Keep the collector, while millions of rows come and go, from looking at all that the program is made of."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def insert(connection: Connection, table: sa.TableClause, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows given as columns of equal length, as the driver takes their values; None is NULL."""
    if connection.dialect.name == "postgresql":
        given = {name: column for name, column in columns.items() if column.count(None) < len(column)}
        if given:
            _copy_columns(connection, table, given)
        return
    names, marks, values = [], [], []
    for name, column in columns.items():
        empty = column.count(None)
        if empty == len(column):
            continue
        names.append(name)
        marks.append("?")
        if empty and "" not in column:
            # Python's sqlite3 looks for an adapter of each None, which takes longer than a dozen texts
            marks[-1] = "nullif(?, '')"
            column = ["" if value is None else value for value in column]  # noqa: PLW2901 - the same column
        values.append(column)
    _execute(connection, table, names, marks, list(zip(*values, strict=True)))


def insert_rows(
    connection: Connection, table: sa.TableClause, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows given as tuples in the order of ``names``; best where they hold no None."""
    if connection.dialect.name == "postgresql":
        if rows:
            _copy_columns(connection, table, dict(zip(names, zip(*rows, strict=True), strict=True)))
    else:
        _execute(connection, table, names, ["?"] * len(names), rows)


_TOGETHER = 50
"""Rows of one statement on SQLite: each statement opens the table and all of its indexes anew."""


def _execute(
    connection: Connection,
    table: sa.TableClause,
    names: Sequence[str],
    marks: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    insert_into = f'INSERT INTO "{table.name}" ({columns}) VALUES '  # noqa: S608 - names are ours
    one, whole = f"({', '.join(marks)})", 0
    if len(rows) >= _TOGETHER:
        whole = len(rows) - len(rows) % _TOGETHER
        packs = [tuple(chain.from_iterable(rows[at : at + _TOGETHER])) for at in range(0, whole, _TOGETHER)]
        connection.exec_driver_sql(insert_into + ", ".join([one] * _TOGETHER), packs)
    if len(rows) > whole:
        connection.exec_driver_sql(insert_into + one, rows[whole:])


# -- PostgreSQL: COPY in its text format (PostgreSQL's manual, COPY, "Text Format") -----------------------------------

_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPED = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_NULL = "\\N"


def _copy_columns(connection: Connection, table: sa.TableClause, columns: Mapping[str, Sequence[Any]]) -> None:
    """Copy rows given as columns, at least one; ids that ``next_ids`` gave are in use now, and not given again."""
    rows = "\n".join(map("\t".join, zip(*map(_cells, columns.values()), strict=True))) + "\n"
    names = ", ".join(f'"{name}"' for name in columns)
    connection.exec_driver_sql(f'COPY "{table.name}" ({names}) FROM STDIN', execution_options={"copies": rows.encode()})
    if "id" in columns:
        query = (
            "SELECT setval(s::regclass, GREATEST(%s, pg_sequence_last_value(s::regclass))) "
            "FROM pg_get_serial_sequence(%s, 'id') s"
        )
        connection.exec_driver_sql(query, (max(columns["id"]), f'"{table.name}"'))


def _cells(column: Sequence[Any]) -> Sequence[str]:
    """Return texts, numbers and truths as COPY reads them."""
    kinds = set(map(type, column))
    texts = column if kinds == {str} else ["" if value is None else str(value) for value in column]
    if _SPECIAL.search("".join(texts)):
        texts = [_SPECIAL.sub(_escaped, text) for text in texts]
    if type(None) not in kinds:
        return texts
    return [_NULL if value is None else text for value, text in zip(column, texts, strict=True)]


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPED[found[0]]


def next_ids(connection: Connection, table: sa.Table, count: int) -> range:
    """Return the ids of the next ``count`` rows of a table with ``SERIAL`` ids; only a writer may ask.

    Those that no ``insert`` follows for are given again.
    """
    if connection.dialect.name == "sqlite":
        query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        last = connection.exec_driver_sql(query, (table.name,)).scalar() or 0
    else:
        query = "SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, 'id')::regclass)"
        last = connection.exec_driver_sql(query, (f'"{table.name}"',)).scalar() or 0
    return range(last + 1, last + count + 1)


def among(db: Connection, column: Any, values: Iterable[str] | Iterable[int]) -> Any:
    """Return the condition that ``column`` is one of ``values``, which are one parameter however many they are.

    A thousand parameters would take both the driver and the planner longer than the rows.
    """
    many: list[Any] = sorted(values)
    if not many:
        return sa.false()
    if db.dialect.name == "postgresql":
        kind = sa.BIGINT if isinstance(many[0], int) else sa.TEXT
        return column == sa.any_(sa.bindparam(None, many, type_=ARRAY(kind), unique=True))
    return column.in_(sa.select(sa.column("value")).select_from(sa.func.json_each(orjson.dumps(many).decode())))
