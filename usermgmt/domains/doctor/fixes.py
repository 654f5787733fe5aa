"""The ways to mend: each only takes rights away, makes again what follows from what is there, or removes our litter."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.domains.doctor.types import Fix
from usermgmt.domains.store import places
from usermgmt.domains.user import bigrams
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.errors import FileUnreadable, StoreBusy
from usermgmt.kernel.i18n import _
from usermgmt.kernel.results import CREATED, REMOVED
from usermgmt.kernel.tables import audit_head, store_meta

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Store

_CAREFUL = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def narrowing(paths: Sequence[Path], forbidden: int) -> Fix | None:
    """Return the fix that takes the bits ``forbidden`` from the modes of those ``paths`` that are ours."""
    ours = [path for path in paths if _is_open(path, forbidden)]
    if not ours:
        return None

    def do() -> None:
        for path in ours:
            _narrow(path, forbidden)

    words = _("closed to other accounts: {paths}").format(paths=" ".join(map(str, ours)))
    return Fix(words, do, early=True)


def _is_open(path: Path, forbidden: int) -> bool:
    try:
        return _ours(path.lstat()) and bool(path.lstat().st_mode & forbidden)
    except OSError:
        return False


def _ours(info: os.stat_result) -> bool:
    # a sticky directory is shared on purpose; a file with a second name may be anybody's
    plain = stat.S_ISREG(info.st_mode) and info.st_nlink == 1
    return info.st_uid == os.geteuid() and (plain or (stat.S_ISDIR(info.st_mode) and not info.st_mode & stat.S_ISVTX))


def _narrow(path: Path, forbidden: int) -> None:
    descriptor = os.open(path, _CAREFUL)
    try:
        info = os.fstat(descriptor)
        if not _ours(info):
            raise FileUnreadable(path=path, problem=_("it is another one now"))
        os.fchmod(descriptor, stat.S_IMODE(info.st_mode) & ~forbidden)
    finally:
        os.close(descriptor)


def public_half(folder: Path) -> Fix | None:
    """Return the fix that makes the public half of a key again, where only that is missing."""
    if not (folder / keys.KEY_FILE).exists() or os.path.lexists(folder / keys.PUBLIC_FILE):
        return None
    return Fix(_("made from the private half"), lambda: keys.publish(folder), CREATED)


def anchoring(ctx: Context, store: Store) -> Fix:
    """Return the fix that anchors the present head; done only where the audit has been verified."""
    return Fix(_("the present head was anchored"), lambda: _anchor(ctx, store))


def _anchor(ctx: Context, store: Store) -> None:
    query = sa.select(audit_head, store_meta.c.lineage).join(store_meta, sa.true())
    with store.reading() as connection:
        head = connection.execute(query).one()
    root = Frontier.load(head.seq, head.frontier).root().hex()
    made = anchors.Anchor(store.meta.store_id, head.lineage, head.seq, head.hash, root, ctx.now)
    anchors.append(store.anchor_file, made, keys.load_key(store.key_dir).sign)


def write_ahead(store: Store) -> Fix:
    """Return the fix that gives a SQLite store its write-ahead log."""

    def do() -> None:
        connection = store.engine.raw_connection()
        try:
            with store.guarded():
                cursor = connection.cursor()
                cursor.execute("PRAGMA journal_mode=WAL")
                if cursor.fetchone() != ("wal",):
                    raise StoreBusy(seconds=f"{store.busy_timeout:g}")
        finally:
            connection.close()

    return Fix(_("changed to wal"), do)


def search_index(store: Store) -> Fix:
    """Return the fix that makes the index behind searches again."""

    def do() -> None:
        with store.writing() as connection:
            bigrams.rebuild(connection)

    return Fix(_("made again"), do)


def litter(folder: Path, name: str) -> Fix | None:
    """Return the fix that removes the work directory ``folder`` of a run on ``name`` that has ended, provably."""
    if not places.is_abandoned(folder, name):
        return None

    def do() -> None:
        if not places.is_abandoned(folder, name):
            raise FileUnreadable(path=folder, problem=_("it is another one now"))
        shutil.rmtree(folder)

    return Fix(_("removed"), do, REMOVED)
