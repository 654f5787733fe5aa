"""What a store holds, whichever revision its schema has: its tables, how many rows each has, the head of its audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from usermgmt.kernel.tables import audit_head, store_meta

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Head(NamedTuple):
    """How far the audit had come: entry ``n``, whose hash is ``hash``, in the lineage ``lineage``."""

    n: int
    hash: str
    lineage: int

    def facts(self) -> dict[str, Any]:
        """Return it as an audit entry and a manifest keep it."""
        return {"n": self.n, "hash": self.hash, "lineage": self.lineage}


def head(connection: Connection) -> Head:
    """Return the head of the audit log."""
    query = sa.select(audit_head.c.seq, audit_head.c.hash, store_meta.c.lineage).join_from(
        audit_head, store_meta, audit_head.c.id == store_meta.c.id
    )
    return Head(*connection.execute(query).one())


def tables(connection: Connection) -> list[str]:
    """Return the names of the tables, those that others refer to first."""
    found = sa.inspect(connection).get_sorted_table_and_fkc_names()
    return [name for name, _keys in found if name is not None]


def counts(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    return {
        name: int(connection.execute(sa.select(sa.func.count()).select_from(sa.table(name))).scalar_one())
        for name in sorted(tables(connection))
    }
