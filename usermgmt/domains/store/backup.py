"""``store backup``: one file with all of the store, verified before it gets its name.

The order: copy, verify, audit entry, name. The entry holds the SHA-256 of the file, so it cannot be in it; and it comes
before the name, because no copy of everybody's data may lie about that the log does not know of. Killed in between,
the log knows of a backup that was never seen, which harms nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from usermgmt.domains.store import contents, copying, manifest, places, verifying
from usermgmt.domains.store.errors import BackupBroken
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.errors import Unavailable, UsermgmtError
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.progress import progress
from usermgmt.kernel.results import CREATED, Change
from usermgmt.kernel.transaction import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from usermgmt.domains.store.verifying import Facts
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Store

NOUN = N_("backup")


@dataclass(frozen=True, slots=True)
class Made:
    """A backup: where it is, what it holds, its size in bytes, its SHA-256, and the id of its key if encrypted."""

    path: Path
    facts: Facts
    bytes: int
    sha256: str
    key: str | None

    def noted(self) -> dict[str, Any]:
        """Return what the audit keeps of it; of its place only the name, since a path may tell of persons."""
        key = {"key": self.key} if self.key else {}
        return {"file": self.path.name, "sha256": self.sha256, **key, **self.facts.head.facts()}


def backup(ctx: Context, path: Path) -> Change:
    """Back the store up into ``path``, a new file, with its manifest beside it.

    Raises ``FileExists``, ``FileMissing``, ``FileUnreadable``, ``DiskFull``, ``IntegrityBroken``.
    """
    check(ctx.store, path)
    if ctx.dry_run:
        return _rehearsed(ctx, path)
    made = make(ctx, path, lambda made: record(ctx, E.STORE_BACKUP, "store", facts=made.noted()))
    return Change(CREATED, NOUN, str(path), values(made))


def check(store: Store, path: Path) -> None:
    """Make sure that a backup can be made at ``path``; raises as ``backup`` does."""
    # what a database takes on PostgreSQL says little about its rows in a file
    places.check_free(path, size(store) if store.dialect == "sqlite" else 0)
    places.check_free(manifest.beside(path), 0)


def size(store: Store) -> int:
    """Return how many bytes the store takes."""
    if store.place.path is not None:
        files = (store.place.path, store.place.path.with_name(store.place.path.name + "-wal"))
        return sum(path.stat().st_size for path in files if path.exists())
    with store.reading() as connection:
        found: int = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    return found


def _rehearsed(ctx: Context, path: Path) -> Change:
    with ctx.store.reading() as connection:
        head, rows = contents.head(connection), contents.counts(connection)
    meta = ctx.store.meta
    told = {"path": str(path), "manifest": str(manifest.beside(path)), "store_id": meta.store_id, "schema": meta.schema}
    return Change(
        CREATED,
        NOUN,
        str(path),
        {**told, "lineage": head.lineage, "entries": head.n, "counts": rows, "sha256": None, "key": _key_id(ctx)},
    )


def _key_id(ctx: Context) -> str | None:
    return ctx.store.key.id if ctx.store.key is not None else None


def values(made: Made) -> dict[str, Any]:
    """Return what a result says of a backup."""
    return {
        "path": str(made.path),
        "manifest": str(manifest.beside(made.path)),
        "store_id": made.facts.meta.store_id,
        "lineage": made.facts.head.lineage,
        "schema": made.facts.meta.schema,
        "entries": made.facts.head.n,
        "head": made.facts.head.hash,
        "counts": made.facts.counts,
        "bytes": made.bytes,
        "sha256": made.sha256,
        "key": made.key,
    }


def make(ctx: Context, path: Path, note: Callable[[Made], None] | None = None) -> Made:
    """Copy the store, verify the copy, call ``note``, give the copy the name ``path``; raises as ``backup`` does."""
    with places.workspace(path.parent, path.name) as folder, progress(ctx, _("backup"), None):
        copy = folder / path.name
        with ctx.store.reading() as connection:
            # read before the copy, so that the transaction has its snapshot
            held = contents.counts(connection), contents.head(connection)
            key = ctx.store.key
            copying.snapshot(connection, ctx.store.meta.schema, copy, key)
        facts = verifying.whole_file(copy, key)
        if (facts.counts, facts.head) != held:
            raise BackupBroken(path=path, problem=_("it does not hold what the store held"))
        made = Made(path, facts, copy.stat().st_size, places.digest(copy), None if key is None else key.id)
        manifest.write(copy, facts, made.sha256, made.key, ctx.now, _signed(ctx, facts))
        if note is not None:
            note(made)
        _publish(copy, path)
    return made


def _publish(copy: Path, path: Path) -> None:
    places.publish(copy, path)
    try:
        places.publish(manifest.beside(copy), manifest.beside(path))
    except UsermgmtError:
        path.unlink()
        raise


def _signed(ctx: Context, facts: Facts) -> Anchor | None:
    head = facts.head
    anchor = Anchor(facts.meta.store_id, head.lineage, head.n, head.hash, facts.root, ctx.now)
    try:
        return keys.load_key(ctx.store.key_dir).sign(anchor)
    except Unavailable as error:
        ctx.warn(_("the manifest could not be signed: {problem}").format(problem=error.message))
        return None
