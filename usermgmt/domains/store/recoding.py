"""``store encrypt``, ``decrypt`` and ``rekey``: all of a SQLite store in another file, which then takes its name.

Nobody else has the store open meanwhile. The order: the key, to disk; the new file, verified, with its audit entry, to
disk; the name; the key's place. Killed at any instant, the store is the old file or the new one, and the key of either
is found. Changing the pages where they are (``PRAGMA rekey``) cannot make a plain file an encrypted one, and whoever
has the store open meanwhile reads pages of another key, which look like damage.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from usermgmt.domains.store import contents, copying, info, keeping, places, verifying
from usermgmt.domains.store.errors import RecodingFailed
from usermgmt.kernel import storekeys
from usermgmt.kernel.audit.log import Log
from usermgmt.kernel.errors import Conflict, FileUnreadable
from usermgmt.kernel.events import E
from usermgmt.kernel.files import sync_directory
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.invocation import data_home
from usermgmt.kernel.results import UNCHANGED, UPDATED, Change
from usermgmt.kernel.store import Store
from usermgmt.kernel.transaction import anchor

if TYPE_CHECKING:
    from pathlib import Path

    from usermgmt.kernel.cipher import StoreKey
    from usermgmt.kernel.context import Context

NOUN = N_("store")
_LABEL = "recode"


def encrypt(ctx: Context, passphrase: bytes | None) -> Change:
    """Encrypt the store with a new key; ``unchanged`` where it is encrypted. Raises as ``_recode`` does."""
    keeping.check_possible(ctx.store.place)
    if ctx.store.key is not None:
        return _unchanged(ctx)
    return _recode(ctx, E.STORE_ENCRYPT, _new_key(ctx), passphrase)


def decrypt(ctx: Context) -> Change:
    """Make the store a plain file; ``unchanged`` where it is one. Raises ``MustBeEncrypted``, and as ``_recode``."""
    keeping.check_possible(ctx.store.place)
    keeping.check_wanted(ctx, ctx.store.place, None)
    if ctx.store.key is None:
        return _unchanged(ctx)
    return _recode(ctx, E.STORE_DECRYPT, None, None)


def rekey(ctx: Context, passphrase: bytes | None, *, drop: bool) -> Change:
    """Encrypt the store with another key.

    ``drop`` removes the former key, which older backups need. Raises ``NotEncrypted``, and as ``_recode``.
    """
    keeping.check_possible(ctx.store.place)
    former = ctx.store.key
    if former is None:
        raise keeping.NotEncrypted(path=ctx.store.place.label)
    change = _recode(ctx, E.STORE_REKEY, _new_key(ctx), passphrase)
    if drop and not ctx.dry_run:
        keeping.drop(ctx, ctx.store.key_dir, former)
    return change


def _new_key(ctx: Context) -> StoreKey:
    keeping.check_place(ctx, ctx.store.key_dir, ctx.store.meta.store_id)
    return keeping.new_key(ctx, ctx.store.meta.store_id)


def _unchanged(ctx: Context) -> Change:
    store = ctx.store
    assert store.meta
    path = store.key_file
    if store.key is not None and not ctx.dry_run and path == store.key_dir / storekeys.named(store.key.id):
        # a run that was killed after the store had its key, and before the key had its place
        path = keeping.settle(ctx, store.key_dir, store.key)
    return _change(ctx, UNCHANGED, store, store.key, path, "")


def _change(
    ctx: Context, outcome: str, store: Store, former: StoreKey | None, key_file: Path | None, note: str
) -> Change:
    path = store.place.path
    assert path is not None
    values = {
        "location": store.place.label,
        "store_id": store.meta.store_id,
        **info.encryption(store),
        "former_key": former.id if former is not None and former != store.key else None,
        "key_file": str(key_file) if key_file is not None else None,
        "bytes": path.stat().st_size,
    }
    return Change(outcome, NOUN, ctx.store.place.label, values, note=note)


# -- the new file ------------------------------------------------------------------------------------------------------


def _recode(ctx: Context, action: E, key: StoreKey | None, passphrase: bytes | None) -> Change:
    """Write all of the store into a new file with ``key``, None for a plain one, and give that the store's name.

    Raises ``StoreBusy`` where others do not close the store in time, ``Conflict`` where somebody was first,
    ``DiskFull``, ``FileUnreadable``, ``RecodingFailed``, ``IntegrityBroken``; the store is then as it was.
    """
    store = ctx.store
    path = store.place.path
    assert path is not None
    # not atomic with what follows: it says early what is seen early
    places.check_free(path.with_name(f".{path.name}.new"), path.stat().st_size)
    former = store.key
    if ctx.dry_run:
        return _rehearsed(ctx, key)
    kept = store.key_dir / storekeys.named(key.id if key is not None else "")
    with store.alone() as connection, keeping.kept(ctx, kept, key, passphrase, path):
        if store.key != former:
            raise Conflict(problem=_("the store was given another key meanwhile"), hint=N_("look at it again"))
        _tidy(path)
        with places.workspace(path.parent, f"{path.name}.{_LABEL}") as folder:
            copy = folder / path.name
            log = _copy(ctx, connection, copy, key, _Facts(action, former))
            _exchange(connection, copy, path)
    placed = keeping.settle(ctx, store.key_dir, key) if key is not None else None
    opened = Store(store.place, ctx.settings, data_home(ctx.env))
    ctx.use(opened)
    anchor(ctx, log)
    return _change(ctx, UPDATED, opened, former, placed, _told(placed))


class _Facts:
    """What the entry in the audit says."""

    def __init__(self, action: E, former: StoreKey | None) -> None:
        self.action, self.former = action, former

    def of(self, key: StoreKey | None) -> dict[str, Any]:
        """Return the ids of the keys, which tell nothing of the keys."""
        keys = {"key": key, "former": self.former}
        return {name: one.id for name, one in keys.items() if one is not None}


def _copy(ctx: Context, connection: Any, copy: Path, key: StoreKey | None, facts: _Facts) -> Log:
    """Make and verify the new file, with the entry that says so in it; ends with nothing beside it, and on disk."""
    with connection.begin():
        held = contents.counts(connection), contents.head(connection)
    copying.recode(connection.connection.driver_connection, copy, key)
    found = verifying.whole_file(copy, key)
    if (found.counts, found.head) != held:
        raise RecodingFailed(path=ctx.store.place.label)
    with copying.new_generation(copy, key) as made:
        log = Log(made, ctx.store.meta, ctx)
        log.append(facts.action, "store", facts=facts.of(key))
        log.close()
    places.sync(copy)
    return log


def _exchange(connection: Any, copy: Path, path: Path) -> None:
    """Give the copy the store's name; the store is all in its one file before, since a log would be of the old one."""
    raw = connection.connection.driver_connection
    if raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise FileUnreadable(path=path, problem=_("its log cannot be emptied"))
    for end in places.SIDE_FILES:
        path.with_name(path.name + end).unlink(missing_ok=True)
    sync_directory(path.parent)
    copy.replace(path)
    sync_directory(path.parent)


def _tidy(path: Path) -> None:
    """Remove what killed runs left: nobody else is at this now, and it may be everybody's data in plain."""
    for left in path.parent.glob(f".{path.name}.{_LABEL}.*"):
        shutil.rmtree(left, ignore_errors=True)


def _rehearsed(ctx: Context, key: StoreKey | None) -> Change:
    store = ctx.store
    path = keeping.place(ctx, store.key_dir, _("ID")) if key is not None else None
    if path is not None:
        ctx.note(_("would make a new key in {path}").format(path=path))
    ctx.note(_("would close the store to others, copy all of it into a new file, and verify that"))
    ctx.note(_("would give the new file the name {path}, with an entry in the audit").format(path=store.place.label))
    told = _change(ctx, UPDATED, store, store.key, None, "")
    values = {**told.values, "encrypted": key is not None, "key": None, "key_file": str(path) if path else None}
    return Change(UPDATED, NOUN, store.place.label, {**values, "former_key": store.key.id if store.key else None})


def _told(key_file: Path | None) -> str:
    if key_file is None:
        return _("it is plain now")
    return _("encrypted; the key is in {path}: keep a copy of it elsewhere").format(path=key_file)
