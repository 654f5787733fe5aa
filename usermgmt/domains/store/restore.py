"""``store restore``: a verified backup becomes the store, as a new lineage of it.

The backup is first copied to a private place and verified there, so that what was verified is what is put in place; one
of an older schema is brought forward in the copy. The new lineage is what keeps older files of the store recognisable:
whoever puts one back by hand has a lineage that the anchors have left behind.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.store import copying, manifest, migrate, places, placing, verifying
from usermgmt.domains.store.errors import AnotherStore, BackupBroken
from usermgmt.domains.store.keeping import check_wanted
from usermgmt.domains.store.standing import look
from usermgmt.kernel import cipher, sqlite, storekeys
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.log import Log
from usermgmt.kernel.context import AskFirst
from usermgmt.kernel.errors import IntegrityBroken, UsermgmtError
from usermgmt.kernel.events import E
from usermgmt.kernel.files import private_directory
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.invocation import ask, data_home, store_place
from usermgmt.kernel.results import CREATED, UPDATED, Change
from usermgmt.kernel.store import Store
from usermgmt.kernel.tables import store_meta
from usermgmt.kernel.transaction import anchor
from usermgmt.migrations import HEAD
from usermgmt.migrations.run import upgrade

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from usermgmt.domains.store.contents import Head
    from usermgmt.domains.store.standing import Standing
    from usermgmt.domains.store.verifying import Facts
    from usermgmt.kernel.cipher import StoreKey
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Meta

NOUN = N_("store")
_BLOCK = 1 << 20
_SPARE = "/var/tmp"  # noqa: S108 - only private directories are made in it
"""For large files that are gone soon, and not in memory as /tmp may be (Filesystem Hierarchy Standard, 5.15)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A verified copy of a backup, of this program's schema, and the place it is for; ``key`` opens the copy."""

    copy: Path
    backup: Facts
    sha256: str
    to: Standing
    key: StoreKey | None

    @property
    def store_id(self) -> str:
        """The id of the store."""
        return self.backup.meta.store_id

    def lineage(self, old: Head | None) -> int:
        """Return the number of the new lineage, after every one that the store, its anchors or the backup knew."""
        last = anchors.last(self.to.anchor_file(self.store_id))
        known = (self.backup.head.lineage, 0 if old is None else old.lineage, 0 if last is None else last.lineage)
        return max(known) + 1

    def origin(self) -> dict[str, Any]:
        """Return what the audit and the answer say of the backup."""
        return {**self.backup.head.facts(), "schema": self.backup.meta.schema, "sha256": self.sha256}

    def former(self, old: Head | None) -> dict[str, Any]:
        """Return what the audit says of the head that is replaced: ``disputed`` where an anchor states another there.

        Entries are held to the anchors for ever: what is known to be false must not be stated as what there was.
        """
        if old is None:
            return {"replaced": None}
        known = anchors.read_all(self.to.anchor_file(self.store_id)).anchors
        false = any((one.lineage, one.n) == (old.lineage, old.n) and one.hash != old.hash for one in known)
        return {"replaced": None, "disputed": old.facts()} if false else {"replaced": old.facts()}

    def begin_lineage(self, ctx: Context, old: Head | None) -> Log:
        """Write the new lineage and its first entry into the copy; ``old`` is the head that it takes the place of."""
        meta = replace(self.backup.meta, lineage=self.lineage(old), schema=HEAD)
        with sqlite.engine(self.copy, busy_timeout=1, key=self.key).connect() as connection:
            connection.execution_options(writes=True)
            with connection.begin():
                return begin_lineage(
                    ctx, connection, meta, E.STORE_RESTORE, {"backup": self.origin(), **self.former(old)}
                )


def begin_lineage(ctx: Context, connection: Connection, meta: Meta, action: E, facts: dict[str, Any]) -> Log:
    """Write the lineage of ``meta`` and its first entry; return the log with the new head."""
    connection.execute(sa.update(store_meta).values(lineage=meta.lineage))
    log = Log(connection, meta, ctx)
    log.append(action, "store", facts={**facts, "lineage": meta.lineage})
    log.close()
    return log


def restore(ctx: Context, name: str) -> Change:
    """Put the backup ``name`` (``-``: standard input) in the place of the store, or where none is.

    Raises ``BackupBroken``, ``AnotherStore``, ``NeedsConfirmation``, ``StoreBusy``, ``DiskFull``, ``FileMissing`` and
    what ``standing.look`` raises.
    """
    to = look(ctx, store_place(ctx.env, ctx.settings, ctx.cwd), data_home(ctx.env))
    with places.workspace(_folder(ctx, to), _label(to)) as folder:
        plan = _prepared(ctx, name, to, folder / "restored.db")
        lineage = plan.lineage(to.head)
        if ctx.dry_run:
            return _rehearsed(ctx, plan, lineage)
        _confirm(ctx, plan)
        log = placing.place(ctx, plan)
    _make_key(ctx, plan)
    ctx.use(Store(to.place, ctx.settings, data_home(ctx.env)))
    anchor(ctx, log)
    return _change(plan, log.meta.lineage, log.seq)


def _folder(ctx: Context, to: Standing) -> Path:
    """Return where the copy is made: beside the store, so that it can take its name, else where room for it may be."""
    spare = Path(ctx.env.get("TMPDIR") or _SPARE)
    if to.place.path is None:
        return spare
    folder = to.place.path.parent
    if not folder.is_dir():
        if ctx.dry_run:
            return spare
        private_directory(folder)
    return folder


def _label(to: Standing) -> str:
    return to.place.path.name if to.place.path is not None else str(to.place.url.database)


# -- the copy ----------------------------------------------------------------------------------------------------------


def _prepared(ctx: Context, name: str, to: Standing, copy: Path) -> Plan:
    path = Path("-") if name == "-" else ctx.path(name)
    found = None if name == "-" else manifest.read(path)
    sha256 = _take(ctx, name, to, copy, alone=found is not None)
    if found is None:
        ctx.warn(_("no manifest is beside the backup; its contents are verified by themselves"))
    else:
        manifest.check_bytes(found, path, sha256)
    key = _key(ctx, path, to, copy)
    facts = _verified(path, copy, key)
    if found is not None:
        manifest.check_contents(found, path, facts, _public_key(ctx, to, facts))
    if to.store is not None and to.store.meta.store_id != facts.meta.store_id:
        raise AnotherStore(backup=facts.meta.store_id, path=to.place.label, there=to.store.meta.store_id)
    if facts.meta.schema != HEAD:
        _bring_forward(path, copy, facts, key)
    return _as_it_stands(ctx, Plan(copy, facts, sha256, to, key))


def _key(ctx: Context, path: Path, to: Standing, copy: Path) -> StoreKey | None:
    """Return the key of an encrypted backup, None for a plain one; raises what ``storekeys.find`` raises."""
    with copy.open("rb") as stream:
        store_id = cipher.owner(stream.read(100).ljust(100, b"\0"), copy.stat().st_size)
    if store_id is None:
        return None
    sqlite.check_cipher(path)
    return storekeys.find(copy, store_id, ctx.settings, to.key_dir(store_id), str(path))[0]


def _as_it_stands(ctx: Context, plan: Plan) -> Plan:
    """Encrypt the copy as the store is that it takes the place of; where none is, it stays as the backup is."""
    if plan.to.place.path is None:
        return plan
    key = plan.key if plan.to.store is None else plan.to.store.key
    check_wanted(ctx, plan.to.place, key)
    if key == plan.key:
        return plan
    if key is None:
        ctx.warn(_("the backup is encrypted, the store is not: what is restored will be plain"))
    recoded = plan.copy.with_name("recoded.db")
    with copying.raw_connection(plan.copy, key=plan.key) as raw:
        copying.recode(raw, recoded, key)
    verifying.whole_file(recoded, key)
    return replace(plan, copy=recoded, key=key)


def _take(ctx: Context, name: str, to: Standing, copy: Path, *, alone: bool) -> str:
    """Copy the backup to ``copy`` and return the SHA-256 of its bytes; not ``alone``, its journals come along."""
    path = ctx.path(name)
    live = to.place.path
    if to.store is not None and live is not None and name != "-" and path.exists() and path.samefile(live):
        # the store itself, taken on purpose as it is: others may be writing to it
        with to.store.reading() as connection:
            copying.snapshot(connection, to.store.meta.schema, copy, to.store.key)
        return places.digest(copy)
    sha256 = _copy(ctx, name, copy)
    for end in () if alone or name == "-" else ("-wal", "-journal"):
        if path.with_name(path.name + end).is_file():
            _copy(ctx, name + end, copy.with_name(copy.name + end))
    return sha256


def _copy(ctx: Context, name: str, copy: Path) -> str:
    sha256 = hashlib.sha256()
    sqlite.create_exclusively(copy)
    stream = ctx.open_input(name)
    try:
        with copy.open("wb") as target:
            while block := stream.read(_BLOCK):
                sha256.update(block)
                target.write(block)
    finally:
        if stream is not ctx.streams.stdin:
            stream.close()
    return sha256.hexdigest()


def _verified(path: Path, copy: Path, key: StoreKey | None) -> Facts:
    try:
        with sqlite.guarded(0):
            facts = verifying.whole_file(copy, key)
    except IntegrityBroken as error:
        raise BackupBroken(path=path, problem=error.message.rstrip(".")) from None
    with copying.raw_connection(copy, key=key) as raw:
        copying.stand_alone(raw)
    return facts


def _public_key(ctx: Context, to: Standing, facts: Facts) -> bytes | None:
    try:
        return keys.load_public_key(to.key_dir(facts.meta.store_id))
    except UsermgmtError:
        ctx.note(_("the store's public key is not here: the signature of the manifest was not checked"))
        return None


def _bring_forward(path: Path, copy: Path, facts: Facts, key: StoreKey | None) -> None:
    """Run the steps that the copy of an older schema lacks; raises ``BackupBroken`` where they lose anything."""
    with sqlite.engine(copy, busy_timeout=1, key=key).connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute("PRAGMA foreign_keys=OFF")
        connection.execution_options(writes=True)
        with connection.begin():
            upgrade(connection)
    after = verifying.whole_file(copy, key)
    if lost := migrate.differing(facts.counts, after.counts):
        raise BackupBroken(path=path, problem=lost)


# -- the answer --------------------------------------------------------------------------------------------------------


def _confirm(ctx: Context, plan: Plan) -> None:
    if plan.to.store is None and not plan.to.broken:
        return
    at, backup = plan.to.place.label, plan.backup.head
    question = _("Replace the damaged store {path} by a backup of {n} audit entries?").format(path=at, n=backup.n)
    if plan.to.head is not None:
        question = _("Replace the store {path}, which has {there} audit entries, by a backup of {n}?").format(
            path=at, there=plan.to.head.n, n=backup.n
        )
    try:
        ctx.confirm(1, question)
    except AskFirst as asked:
        # no lock is held here: the old head is read again once one is
        ask(ctx, asked)


def _rehearsed(ctx: Context, plan: Plan, lineage: int) -> Change:
    if plan.backup.meta.schema != HEAD:
        ctx.note(_("would bring the schema from {old} to {new}").format(old=plan.backup.meta.schema, new=HEAD))
    if plan.to.broken:
        ctx.note(_("would move the damaged file aside"))
    elif plan.to.head is not None:
        there = plan.to.head.n
        ctx.note(_("would replace {there} audit entries by {n}").format(there=there, n=plan.backup.head.n))
    if not (plan.to.key_dir(plan.store_id) / keys.KEY_FILE).exists():
        ctx.note(_("would make a new key for the store"))
    ctx.note(_("would begin lineage {n} with an entry in the audit").format(n=lineage))
    return _change(plan, lineage, plan.backup.head.n + 1)


def _change(plan: Plan, lineage: int, entries: int) -> Change:
    missing = plan.to.store is None and not plan.to.broken
    return Change(
        CREATED if missing else UPDATED,
        NOUN,
        plan.to.place.label,
        {
            "location": plan.to.place.label,
            "engine": plan.to.place.dialect,
            "store_id": plan.store_id,
            "lineage": lineage,
            "schema": HEAD,
            "entries": entries,
            "counts": plan.backup.counts,
            "encrypted": None if plan.to.place.path is None else plan.key is not None,
            "key": None if plan.key is None or plan.to.place.path is None else plan.key.id,
            "backup": plan.origin(),
            "replaced": None if plan.to.head is None else plan.to.head.facts(),
        },
        note=_("from a backup of {n} audit entries; lineage {lineage}").format(n=plan.backup.head.n, lineage=lineage),
    )


def _make_key(ctx: Context, plan: Plan) -> None:
    folder = plan.to.key_dir(plan.store_id)
    if (folder / keys.KEY_FILE).exists():
        return
    try:
        keys.create_key(folder)
    except UsermgmtError as error:
        ctx.warn(_("the store has no key: {problem}").format(problem=error.message))
    else:
        ctx.warn(_("the store's key was missing; a new one is in {path}").format(path=folder))
