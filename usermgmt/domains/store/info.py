"""``store info``: what the store is, where it is, and what it holds."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from usermgmt.domains.store import backup, contents, manifest
from usermgmt.kernel.errors import UsermgmtError
from usermgmt.kernel.invocation import data_home, store_place
from usermgmt.kernel.store import Store
from usermgmt.kernel.transaction import reading

if TYPE_CHECKING:
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Place


def info(ctx: Context) -> dict[str, Any]:
    """Describe the store, or the backup that ``--store`` names; raises what opening it raises."""
    store = ctx.found or _opened(ctx)
    ctx.use(store)
    with reading(ctx):
        head = contents.head(ctx.db)
        rows = contents.counts(ctx.db)
    meta = store.meta
    return {
        "location": store.place.label,
        "engine": store.dialect,
        "store_id": meta.store_id,
        "lineage": head.lineage,
        "schema": meta.schema,
        "simulated": meta.simulated,
        "region": meta.region,
        "created_at": meta.created_at,
        "entries": head.n,
        "head": head.hash,
        "counts": rows,
        "bytes": backup.size(store),
        **encryption(store),
        "keys": str(store.key_dir),
        "anchors": str(store.anchor_file),
    }


def encryption(store: Store) -> dict[str, Any]:
    """Return what results say of a store's encryption; on PostgreSQL that is the server's, and nothing is known."""
    encrypted = store.key is not None if store.dialect == "sqlite" else None
    return {"encrypted": encrypted, "key": store.key.id if store.key is not None else None}


def _opened(ctx: Context) -> Store:
    """Open a store that ``find_store`` would not: a backup, which is behind its store's anchors as it should be."""
    at, home = store_place(ctx.env, ctx.settings, ctx.cwd), data_home(ctx.env)
    if _is_backup(ctx, at):
        return Store(at, ctx.settings, home, anchored=False)
    return Store(at, ctx.settings, home)


def _is_backup(ctx: Context, at: Place) -> bool:
    """Tell whether the manifest beside a file states its very head; only ``info`` goes by it, as it can be planted."""
    with suppress(UsermgmtError):
        found = manifest.read(at.path) if at.path is not None else None
        if found is not None:
            with Store(at, ctx.settings, data_home(ctx.env), anchored=False).reading() as connection:
                return contents.head(connection).facts().items() <= found.values.items()
    return False
