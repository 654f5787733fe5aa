"""What the store itself shows: its key, its anchors, the clock, its integrity, its audit."""

from __future__ import annotations

import ctypes
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.domains.doctor import fixes, surroundings
from usermgmt.domains.doctor.types import Finding, Severity, advice
from usermgmt.domains.store import contents, keeping, verifying
from usermgmt.domains.user import bigrams
from usermgmt.kernel import schema, sqlite, storekeys
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import base, keys
from usermgmt.kernel.clock import from_text
from usermgmt.kernel.errors import UsermgmtError
from usermgmt.kernel.i18n import _
from usermgmt.kernel.settings import CREDENTIAL
from usermgmt.kernel.tables import audit_entry
from usermgmt.migrations import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from usermgmt.domains.store.contents import Head
    from usermgmt.kernel.audit.anchor import Anchor
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.store import Store

LEEWAY = timedelta(seconds=5)
"""Two hosts that write to one PostgreSQL store never agree to the millisecond."""
LAWFUL = 180 * 86400
"""Seconds that logs are kept at least where the Chinese Cybersecurity Law, article 21, holds: six months."""
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_AUDIT_NEXT = "usermgmt audit verify --state"


def key(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge the key that signs anchors: changes are made without it, but not anchored."""
    yield from _open("key", store.key_dir.parent, store.key_dir)
    try:
        found = keys.load_key(store.key_dir)
        public = keys.load_public_key(store.key_dir)
    except UsermgmtError as error:
        restored = _("put it back from a copy of the keys; usermgmt store restore makes a new one")
        fix = fixes.narrowing([store.key_dir / keys.KEY_FILE], 0o077)
        fix = fix or fixes.narrowing([store.key_dir / keys.PUBLIC_FILE], 0o022) or fixes.public_half(store.key_dir)
        yield Finding("key", Severity.WARNING, error.message, advice(error) or restored, fix=fix)
        return
    if public != found.public:
        told = _("the public half in {path} is not that of the key").format(path=store.key_dir)
        yield Finding("key", Severity.WARNING, told)
    else:
        yield Finding("key", Severity.OK, _("{id} in {path}").format(id=keys.key_id(public), path=store.key_dir))


def encryption(ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge whether a SQLite store is encrypted, and where its key lies; opening it has refused an unsafe key file."""
    if store.dialect != "sqlite":
        return
    if store.key is None or store.key_file is None:
        told = _("the store is not encrypted: whoever gets its file can read everybody's data")
        severity = Severity.WARNING if keeping.required(ctx) else Severity.INFO
        yield Finding("encryption", severity, told, "usermgmt store encrypt")
        return
    chosen, facts = ctx.settings.path("store.key_file"), {"id": store.key.id, "path": store.key_file}
    if chosen is not None and chosen != store.key_file:
        told = _("the store's key {id} is in {path}, not in store.key_file").format(**facts)
        yield Finding("encryption", Severity.WARNING, told, f"mv {store.key_file} {chosen}")
    elif store.key_file.parent.stat().st_mode & 0o022 and ctx.settings.origin("store.key_file") != CREDENTIAL:
        told = _("other accounts may write to the directory of the key {path}").format(**facts)
        fix = fixes.narrowing([store.key_file.parent], 0o022)
        yield Finding("encryption", Severity.WARNING, told, f"chmod go-w {store.key_file.parent}", fix=fix)
    elif _beside(store):
        told = _("the key {path} lies beside the store: whoever takes the disk has both").format(**facts)
        yield Finding("encryption", Severity.INFO, told, _("move it, and name it: usermgmt config set store.key_file"))
    else:
        yield Finding("encryption", Severity.OK, _("encrypted; key {id} in {path}").format(**facts))


def _beside(store: Store) -> bool:
    assert store.place.path is not None
    assert store.key_file is not None
    return store.key_file.is_relative_to(store.place.path.parent) and not storekeys.read(store.key_file).sealed


def _open(check: str, *folders: Path) -> Iterator[Finding]:
    """Find directories, of keys or of anchors, in which other accounts may put files."""
    for folder in folders:
        if folder.is_dir() and folder.stat().st_mode & 0o022:
            told = _("other accounts may write to the directory {path}").format(path=folder)
            yield Finding(check, Severity.WARNING, told, f"chmod go-w {folder}", fix=fixes.narrowing([folder], 0o022))


def anchor(ctx: Context, store: Store) -> Iterator[Finding]:
    """Compare the anchors with the audit, in the order in which other writers raise no false alarm."""
    yield from _open("anchor", store.anchor_file.parent)
    try:
        reading = anchors.read_all(store.anchor_file)
    except UsermgmtError as error:
        fix = fixes.narrowing([store.anchor_file], 0o022)
        yield Finding("anchor", Severity.WARNING, error.message, advice(error), fix=fix)
        return
    if reading.unreadable:
        lines = ", ".join(map(str, reading.unreadable[:5]))
        told = _("lines of {path} are no anchors: {lines}").format(path=store.anchor_file, lines=lines)
        yield Finding("anchor", Severity.WARNING, told)
    if not reading.anchors:
        told = _("there is none yet at {path}; the next change makes one").format(path=store.anchor_file)
        yield Finding("anchor", Severity.WARNING, told, fix=fixes.anchoring(ctx, store))
        return
    last = reading.anchors[-1]
    with store.reading() as connection:
        head = contents.head(connection)
        true = base.bears_out(connection, store.meta.store_id, last.n, last.hash)
    yield _compared(ctx, store, last, head, true=true)
    yield from _signature(store, last)


def _compared(ctx: Context, store: Store, last: Anchor, head: Head, *, true: bool) -> Finding:
    facts = {"n": last.n, "head": head.n, "at": last.at, "lineage": head.lineage, "anchored": last.lineage}
    ahead = _broken(last, head, true=true)
    if ahead:
        hint = _("put the current file back, or take this one on purpose: usermgmt store restore FILE")
        return Finding("anchor", Severity.ERROR, ahead.format(**facts), hint, broken=True)
    if last.lineage < head.lineage:
        told = _("the last one is of lineage {anchored}, the store is of lineage {lineage}; the next change makes one")
        return Finding("anchor", Severity.WARNING, told.format(**facts), fix=fixes.anchoring(ctx, store))
    if last.n < head.n and not _caught_up(store, head):
        told = _("the last one is of entry {n}, the audit has {head}: nothing vouches for those after it")
        return Finding("anchor", Severity.WARNING, told.format(**facts), fix=fixes.anchoring(ctx, store))
    return Finding("anchor", Severity.OK, _("entry {n}, lineage {lineage}, at {at}").format(**facts))


def _broken(last: Anchor, head: Head, *, true: bool) -> str:
    if last.lineage > head.lineage:
        return _("the store is of lineage {lineage}, but a restored one of lineage {anchored} was here since")
    if last.lineage == head.lineage and last.n > head.n:
        return _("the audit ends at entry {head}, but entry {n} was anchored at {at}")
    if last.lineage == head.lineage and not true:
        return _("entry {n} is not the one that was anchored at {at}")
    return ""


def _caught_up(store: Store, head: Head) -> bool:
    # a change between the two readings is anchored by now
    latest = anchors.last(store.anchor_file)
    return latest is not None and latest.n >= head.n


def _signature(store: Store, last: Anchor) -> Iterator[Finding]:
    try:
        public = keys.load_public_key(store.key_dir)
    except UsermgmtError:
        return
    if not anchors.verify_signature(last, public):
        told = _("the last anchor was not signed by the key of the store, but by {key}").format(key=last.key)
        yield Finding("anchor", Severity.WARNING, told, _("the next change is signed with the key that is there now"))


def clock(ctx: Context, store: Store) -> Iterator[Finding]:
    """Compare the clock with the last entry, and ask the kernel whether it is synchronised."""
    with store.reading() as connection:
        query = sa.select(audit_entry.c.at).order_by(audit_entry.c.seq.desc()).limit(1)
        last = connection.execute(query).scalar()
    if last is not None and from_text(last) > ctx.clock.now() + LEEWAY:
        told = _("the last change was made at {at}, which is in the future").format(at=last)
        if store.meta.simulated:
            yield Finding("clock", Severity.INFO, told)
        else:
            yield Finding("clock", Severity.WARNING, told, _("set the clock of this host: timedatectl"))
        return
    if _unsynchronised():
        yield Finding("clock", Severity.INFO, _("this host does not synchronise its clock"), "timedatectl set-ntp true")
    else:
        yield Finding("clock", Severity.OK, _("{at}, after the last change").format(at=ctx.now))


def _unsynchronised() -> bool:
    # struct timex is smaller than this on every Linux; all zero asks and sets nothing
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return False
    return state == _TIME_ERROR


def integrity(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge the schema, and the pages and foreign keys of a SQLite file; PostgreSQL sees to its own."""
    with store.reading() as connection:
        embedded = store.dialect == "sqlite"
        problem = sqlite.damage(connection, quick=True) if embedded else ""
        problem = problem or (verifying.foreign_keys(connection) if embedded else "")
        found = schema.compare(connection, store.meta.schema)
        problem = problem or found.problem
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar() if embedded else ""
    if problem:
        hint = _("keep the store, and compare a backup: usermgmt store restore FILE --dry-run")
        yield Finding("integrity", Severity.ERROR, problem, hint, broken=True)
    elif embedded:
        told = _("pages, foreign keys and schema hold; journal mode {mode}").format(mode=mode)
        yield Finding("integrity", Severity.OK, told)
    elif found.whole:
        yield Finding("integrity", Severity.OK, _("the schema holds"))
    else:
        hint = f"GRANT TEMPORARY ON DATABASE {store.place.url.database} TO ..."
        yield Finding("integrity", Severity.WARNING, _(schema.PARTLY), hint)


def journal(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Judge how a SQLite store keeps changes until they are in its file; PostgreSQL has one way."""
    if store.place.path is None:
        return
    with store.reading() as connection:
        has = store.has_wal(connection)
    if not has and sqlite.wal_is_safe(sqlite.version()):
        told = _("the store has no write-ahead log: who reads waits for who writes")
        network = surroundings.NETWORK.fullmatch(surroundings.kind_of(store.place.path))
        yield Finding("journal", Severity.INFO, told, fix=None if network else fixes.write_ahead(store))


def audit(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Verify the whole audit, and the root of its last anchor."""
    last = _last(store)
    with store.reading() as connection:
        head = contents.head(connection)
        marks = (last.n,) if last is not None and last.lineage == head.lineage else ()
        problem, verifier = verifying.audit(connection, store.meta.store_id, head, marks)
    if not problem and last is not None and last.n in verifier.marks and verifier.marks[last.n].root != last.root:
        problem = _("the Merkle root of the last anchor is not that of its entries")
    if problem:
        yield Finding("audit", Severity.ERROR, problem, _AUDIT_NEXT, broken=True)
    else:
        told = _("{n} entries hold; {redacted} personal parts lawfully erased")
        yield Finding("audit", Severity.OK, told.format(n=head.n - verifier.base.n, redacted=verifier.redacted))


def retention(ctx: Context, store: Store) -> Iterator[Finding]:
    """Tell how long entries are kept at least, and warn where that is less than the law of some countries asks for."""
    kept = ctx.settings.shown("audit.retention")
    if ctx.settings.seconds("audit.retention") < LAWFUL:
        told = _("entries of the audit may be removed after {kept}; the Chinese Cybersecurity Law asks for six months")
        yield Finding("retention", Severity.WARNING, told.format(kept=kept), "usermgmt config set audit.retention 180d")
        return
    with store.reading() as connection:
        removed = base.load(connection, store.meta.store_id).n
    told = _("entries are kept for {kept} at least; those up to {n} are in archives")
    told = told if removed else _("entries are kept for {kept} at least; none was removed")
    yield Finding("retention", Severity.OK, told.format(kept=kept, n=removed))


def _last(store: Store) -> Anchor | None:
    try:
        return anchors.last(store.anchor_file)
    except UsermgmtError:
        # said by the check of the anchors
        return None


def search(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Compare the index behind searches with the users: whom it leaves out, no search finds."""
    if store.meta.schema != HEAD:
        return
    with store.reading() as connection:
        holds = bigrams.holds(connection)
    if holds:
        yield Finding("search", Severity.OK, _("the index of names is that of the users"))
    else:
        told = _("the index of names is not that of the users: searches may leave some out")
        yield Finding("search", Severity.WARNING, told, "usermgmt doctor --fix", fix=fixes.search_index(store))


def region(_ctx: Context, store: Store) -> Iterator[Finding]:
    """Tell where phone numbers without a country are refused."""
    if store.meta.region is None:
        told = _("no country is set: phone numbers need one, as +86 138 0013 8000")
        yield Finding("region", Severity.INFO, told)
    else:
        yield Finding("region", Severity.OK, store.meta.region)


CHECKS: dict[str, Callable[[Context, Store], Iterator[Finding]]] = {
    "key": key,
    "encryption": encryption,
    "anchor": anchor,
    "clock": clock,
    "integrity": integrity,
    "journal": journal,
    "audit": audit,
    "search": search,
    "retention": retention,
    "region": region,
}
