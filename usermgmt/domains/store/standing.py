"""What is at the place that a restore is for: nothing, a store in whatever state, or something not to be touched."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, NoResultFound

from usermgmt.domains.store import contents
from usermgmt.domains.store.errors import NotEmpty
from usermgmt.kernel import sqlite
from usermgmt.kernel.errors import IntegrityBroken, NoStore, NotAStore
from usermgmt.kernel.store import Store, roots
from usermgmt.migrations import KNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.domains.store.contents import Head
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Place


_HELD = """
SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I', 't')
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'a', 'i')) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """The place of a store, and what is there: ``store`` where one can be opened, ``broken`` where it is past that."""

    place: Place
    keys: Path
    anchors: Path
    store: Store | None = None
    head: Head | None = None
    broken: bool = False

    def key_dir(self, store_id: str) -> Path:
        """Return the directory with the keys of a store that may not be there yet."""
        return self.keys / store_id

    def anchor_file(self, store_id: str) -> Path:
        """Return the file with the anchors of a store that may not be there yet."""
        return self.anchors / f"{store_id}.jsonl"


def look(ctx: Context, at: Place, home: Path) -> Standing:
    """Look at a store leniently: old, rolled back and damaged ones count.

    Raises ``NotAStore`` for another program's file, ``UnsafeStore``, ``SchemaNewer``, ``NotEmpty``, ``Unavailable``.
    """
    kept = roots(at, ctx.settings, home)
    try:
        store = Store(at, ctx.settings, home, accept=KNOWN, anchored=False)
        with store.reading() as connection:
            return Standing(at, *kept, store, contents.head(connection))
    except NoStore:
        if at.path is None:
            _check_empty(ctx, at, home)
        return Standing(at, *kept)
    except (IntegrityBroken, NotAStore, NoResultFound, DBAPIError):
        if at.path is None or not _is_ours(at.path):
            raise
        return Standing(at, *kept, broken=True)


def _check_empty(ctx: Context, at: Place, home: Path) -> None:
    store = Store(at, ctx.settings, home)
    with store.guarded(), store.engine.connect() as connection:
        connection.execution_options(lockless=True)
        if held(connection):
            raise NotEmpty(path=at.label)


def held(connection: Connection) -> list[str]:
    """Return the names of what a PostgreSQL database has in its schema ``public``, but for what extensions made."""
    return list(connection.exec_driver_sql(_HELD).scalars())


def _is_ours(path: Path) -> bool:
    """Tell whether a file that is no store may make room for one: damaged beyond recognition, or marked as ours."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        header = os.pread(descriptor, 100, 0)
    finally:
        os.close(descriptor)
    return not sqlite.is_foreign(header)
