"""Whether a store's contents hold: its file, its foreign keys, its schema, the whole of its audit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.domains.store import contents
from usermgmt.kernel import sqlite
from usermgmt.kernel.audit import base, rows
from usermgmt.kernel.audit.verifier import Verifier
from usermgmt.kernel.errors import IntegrityBroken
from usermgmt.kernel.i18n import _
from usermgmt.kernel.schema import compare
from usermgmt.kernel.store import describe
from usermgmt.kernel.tables import audit_head
from usermgmt.migrations import KNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.domains.store.contents import Head
    from usermgmt.kernel.cipher import StoreKey
    from usermgmt.kernel.store import Meta

_NAMED = 3
"""So many findings are told; more would say nothing new."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verified store holds: what it is, its head, the Merkle root of its audit, the rows of each table."""

    meta: Meta
    head: Head
    root: str
    counts: dict[str, int]


def whole_file(path: Path, key: StoreKey | None = None) -> Facts:
    """Verify the SQLite store at ``path``, a private file of ours, and return what it holds; ``key`` opens it.

    Raises ``IntegrityBroken`` for the first thing that does not hold, ``SchemaNewer``, ``NotAStore``.
    """
    sqlite.check_file(path)
    with sqlite.engine(path, busy_timeout=1, key=key).connect() as connection, connection.begin():
        if path.stat().st_size % int(connection.exec_driver_sql("PRAGMA page_size").scalar_one()):
            # SQLite takes what is missing of its last page for zeros
            raise IntegrityBroken(problem=_("the file is cut off"))
        if problem := sqlite.damage(connection):
            raise IntegrityBroken(problem=_("the file is damaged: {problem}").format(problem=problem))
        meta = describe(connection, path.name, KNOWN)
        if problem := foreign_keys(connection) or compare(connection, meta.schema).problem:
            raise IntegrityBroken(problem=problem)
        head = contents.head(connection)
        return Facts(meta, head, chain(connection, meta.store_id, head), contents.counts(connection))


def foreign_keys(connection: Connection) -> str:
    """Return which rows of a SQLite file refer to rows that are not there, empty where none does."""
    found = list(islice(connection.exec_driver_sql("PRAGMA foreign_key_check"), _NAMED))
    if not found:
        return ""
    named = ", ".join(f"{row[0]}({row[1]}) -> {row[2]}" for row in found)
    return _("rows refer to rows that are missing: {rows}").format(rows=named)


def chain(connection: Connection, store_id: str, head: Head) -> str:
    """Verify the whole audit and return its Merkle root; raises ``IntegrityBroken``."""
    problem, verifier = audit(connection, store_id, head)
    if problem:
        raise IntegrityBroken(problem=problem)
    return verifier.root


def audit(connection: Connection, store_id: str, head: Head, marks: tuple[int, ...] = ()) -> tuple[str, Verifier]:
    """Read the whole audit; return what does not hold, empty where all does, and the verifier with its ``marks``."""
    verifier = Verifier(store_id, base=base.load(connection, store_id), marks=marks, head=(head.n, head.hash))
    try:
        made = verifier.run(rows.entries(connection), rows.parts(connection))
        named = list(islice(made, _NAMED))
        # to its end, so that what the verifier then says of the root is of the whole log
        for _rest in made:
            pass
    except sqlite.driver().OperationalError as error:
        if "decode" not in str(error):
            raise
        return _("after audit entry {n}: a text is not UTF-8").format(n=verifier.n), verifier
    if named:
        return "; ".join(_("audit entry {n}: {detail}").format(n=one.seq, detail=one.detail) for one in named), verifier
    frontier = connection.execute(sa.select(audit_head.c.frontier)).scalar_one()
    if frontier != verifier.tree.dump():
        return _("the Merkle frontier in the head of the audit is not that of its entries"), verifier
    return "", verifier
