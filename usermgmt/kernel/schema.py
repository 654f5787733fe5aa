"""Whether the schema of a store is the one that the program makes.

What is beyond it could act in the program's name, as a trigger; what is missing, as a CHECK, lets anything in. Each
engine writes a new schema beside the store's and compares how it tells of both: no two versions tell of one alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from usermgmt.kernel import sqlite
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

_Objects = dict[tuple[str, str], str]
"""Definitions by kind and name."""

# the index of a UNIQUE has no text; which table an index is of stands beside its text as well
_OF_SQLITE = "SELECT type, name, tbl_name || ' ' || coalesce(sql, '') FROM sqlite_master"
_OF_POSTGRESQL = """
WITH ours AS (
    SELECT c.oid, relname, relkind, relpersistence, relrowsecurity FROM pg_class c WHERE relnamespace = {schema}
    -- what an extension brings along is the database administrator's
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
)
SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
    ELSE 'table' END, relname,
    concat(CASE WHEN relpersistence = 'u' THEN 'unlogged' END, CASE WHEN relrowsecurity THEN 'secured' END)
    FROM ours WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL
SELECT 'column', relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), collname,
    CASE WHEN attnotnull THEN 'NOT NULL' END, pg_get_expr(adbin, adrelid, true))
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_collation l ON l.oid = attcollation
    LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum WHERE relkind IN ('r', 'p')
UNION ALL
SELECT 'constraint', conname || ' on ' || relname, pg_get_constraintdef(o.oid, true)
    FROM ours JOIN pg_constraint o ON conrelid = ours.oid WHERE contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 'index', i.relname || ' on ' || ours.relname,
    concat_ws(' ', pg_get_indexdef(i.oid, 0, true), CASE WHEN NOT indisvalid THEN 'INVALID' END)
    FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class i ON i.oid = indexrelid
UNION ALL
-- those of foreign keys count where somebody has switched them off
SELECT 'trigger', tgname || ' on ' || relname, tgenabled::text
    FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal OR tgenabled <> 'O'
UNION ALL
SELECT 'rule', rulename || ' on ' || relname, ''
    FROM ours JOIN pg_rewrite ON ev_class = ours.oid WHERE rulename <> '_RETURN'
UNION ALL
SELECT 'policy', polname || ' on ' || relname, '' FROM ours JOIN pg_policy ON polrelid = ours.oid
"""
_DERIVED = frozenset({"table", "column", "constraint", "index"})
"""What says nothing by itself, where there is no new schema to compare it with."""
_FORBIDDEN = ("42501", "25006")
"""The login may make no temporary tables; the server is a standby (PostgreSQL's manual, appendix A)."""

PARTLY = N_("the login may make no temporary tables: only triggers, rules, policies and views were looked for")

_known: dict[tuple[object, ...], _Objects] = {}


class Compared(NamedTuple):
    """What is missing, beyond, or another than it should be, as ``trigger x on user``.

    Not ``whole`` where the login may make nothing to compare with: then only what could act or hide was looked for.
    """

    names: list[str]
    whole: bool = True

    @property
    def problem(self) -> str:
        """What is wrong in words, empty where nothing is."""
        if not self.names:
            return ""
        return _("the schema is not what this program makes: {names}").format(names=", ".join(self.names))


def compare(connection: Connection, revision: str) -> Compared:
    """Compare the schema with what ``revision`` makes; an index beyond it does no harm."""
    there, made = _objects(connection), _new(connection, revision)
    if made is None:
        return Compared(_named(key for key in there if key[0] not in _DERIVED), whole=False)
    differing = [key for key, text in made.items() if there.get(key) != text]
    return Compared(_named([*differing, *(key for key in there.keys() - made.keys() if key[0] != "index")]))


def _named(keys: Iterable[tuple[str, str]]) -> list[str]:
    return sorted(f"{kind} {name}" for kind, name in keys)


def _objects(connection: Connection, schema: str = "'public'::regnamespace") -> _Objects:
    query = _OF_SQLITE if connection.dialect.name == "sqlite" else _OF_POSTGRESQL.format(schema=schema)
    # what ANALYZE leaves is SQLite's own
    return {
        (kind, name): " ".join(text.split())
        for kind, name, text in connection.exec_driver_sql(query)
        if not (kind == "table" and name.startswith("sqlite_stat"))
    }


def _new(connection: Connection, revision: str) -> _Objects | None:
    key = (connection.dialect.name, connection.dialect.server_version_info, revision)
    if key not in _known:
        made = _made_on_sqlite(revision) if key[0] == "sqlite" else _made_on_postgresql(connection, revision)
        if made is None:
            return None
        _known[key] = made
    return _known[key]


def _made_on_sqlite(revision: str) -> _Objects:
    from usermgmt.migrations.run import upgrade

    engine = sa.create_engine("sqlite://", module=sqlite.driver(), poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, revision)
        return _objects(connection)


def _made_on_postgresql(store: Connection, revision: str) -> _Objects | None:
    """Make the schema of temporary tables, on a connection of its own: that of the store may be reading only."""
    from usermgmt.kernel import postgres
    from usermgmt.migrations.run import upgrade

    engine = postgres.engine(store.engine.url, busy_timeout=5, tls="insecure-allowed", schema="pg_temp")
    try:
        with engine.connect() as connection:
            connection.execution_options(lockless=True)
            with connection.begin() as transaction:
                upgrade(connection, revision)
                made = _objects(connection, "pg_my_temp_schema()")
                transaction.rollback()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _FORBIDDEN:
            raise
        return None
    return made
