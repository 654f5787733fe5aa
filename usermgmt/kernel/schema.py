"""What the schema of a store holds that the program did not make: a trigger or a view would act in its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usermgmt.kernel import sqlite

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_POSTGRESQL = """
SELECT 'trigger', t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'rule', r.rulename, c.relname FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    WHERE r.rulename <> '_RETURN' AND c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'policy', p.polname, c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
    WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, c.relname, NULL
    FROM pg_class c WHERE c.relkind IN ('v', 'm', 'f') AND c.relnamespace = 'public'::regnamespace
    -- what an extension brings along is the database administrator's
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""
"""Yields kind, name, and the table that it is on."""


def foreign(connection: Connection, revision: str) -> list[str]:
    """Return what is in the schema and should not be, or is another than ``revision`` makes, as ``trigger x on user``.

    On SQLite every object is compared, as text, with those of a new store; on PostgreSQL, which writes definitions in
    its own way, what could act or hide is looked for. An index beyond ours does no harm.
    """
    if connection.dialect.name == "sqlite":
        return _altered(connection, revision)
    found = connection.exec_driver_sql(_POSTGRESQL)
    return sorted(f"{kind} {name} on {table}" if table else f"{kind} {name}" for kind, name, table in found)


def _altered(connection: Connection, revision: str) -> list[str]:
    there, made = _objects(connection), _made(revision)
    differing = [key for key, text in made.items() if there.get(key) != text]
    beyond = [key for key in there.keys() - made.keys() if key[0] != "index"]
    return sorted(f"{kind} {name}" for kind, name in (*differing, *beyond))


def _objects(connection: Connection) -> dict[tuple[str, str], str]:
    """Return the text of every object of a SQLite store, by kind and name."""
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    # sqlite_sequence and what ANALYZE leaves are SQLite's own
    return {
        (kind, name): " ".join(text.split())
        for kind, name, text in rows
        if not (kind == "table" and name.startswith("sqlite_"))
    }


def _made(revision: str) -> dict[tuple[str, str], str]:
    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool

    from usermgmt.migrations.run import upgrade

    engine = sa.create_engine("sqlite://", module=sqlite.driver(), poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        upgrade(connection, revision)
        return _objects(connection)
