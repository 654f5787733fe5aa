"""Which lineage wrote which entries, and whether anchors and checkpoints agree with the log of theirs.

Every restore begins a lineage: it takes a backup, whose log is the beginning of an older one, and appends an entry; so
does every copy of a store. So an anchor of an older lineage can be compared where the entry it names was written in
that lineage; where it was not, it speaks of entries that a restore took back. The store's own anchors are then passed
over. A checkpoint kept elsewhere is not: whoever rewrote the log could have pretended the restore. Only a later one, of
a later lineage, excuses it. In the same way nothing here can be said of entries that a prune removed: anchors of those
are passed over, a checkpoint only beside a later one that the log bears out.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.audit.report import Kind
from usermgmt.kernel.audit import base
from usermgmt.kernel.audit.anchor import verify_signature
from usermgmt.kernel.audit.entries import parsed
from usermgmt.kernel.audit.keys import key_id, signs
from usermgmt.kernel.audit.verifier import Kind as Found
from usermgmt.kernel.errors import UsermgmtError
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.tables import audit_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from usermgmt.domains.audit.report import Report
    from usermgmt.kernel.audit.anchor import Anchor
    from usermgmt.kernel.audit.format import Pruned
    from usermgmt.kernel.audit.verifier import Mark

_NAMES = {Kind.ANCHOR: N_("anchor"), Kind.CHECKPOINT: N_("checkpoint")}


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore on the log: its entry, the lineage that it began, and the head that it took the place of.

    Or a copy (``copied``): this store began as one, and ``replaced`` is the head of the store that it was made of.
    """

    seq: int
    lineage: int
    replaced: Mapping[str, Any]
    copied: bool = False


class History:
    """The lineages that the log tells of."""

    def __init__(self, connection: Connection) -> None:
        """Read the entries of restores and copies."""
        query = sa.select(audit_entry.c.seq, audit_entry.c.action, audit_entry.c.body).where(
            audit_entry.c.action.in_((E.STORE_RESTORE.value, E.STORE_COPY.value)), audit_entry.c.outcome == "ok"
        )
        self.prune = base.last_prune(connection)
        before = self.prune.get("lineage")
        self.first = before if isinstance(before, int) else 1
        self.restores: list[Restore] = []
        for seq, action, body in connection.execute(query.order_by(audit_entry.c.seq)):
            facts = parsed(body)
            copied = action == E.STORE_COPY.value
            stated, before = facts.get("lineage"), facts.get("from" if copied else "replaced")
            lineage = stated if isinstance(stated, int) else self.lineage + 1
            self.restores.append(Restore(seq, lineage, before if isinstance(before, dict) else {}, copied))

    @property
    def lineage(self) -> int:
        """The lineage that the last restore began, where there was none that of the first entry."""
        return self.restores[-1].lineage if self.restores else self.first

    def of(self, seq: int) -> int:
        """Return the lineage in which entry ``seq`` was written."""
        at = bisect_right([one.seq for one in self.restores], seq)
        return self.restores[at - 1].lineage if at else self.first

    def restored_since(self, seq: int) -> bool:
        """Tell whether the store was restored after entry ``seq``."""
        return any(one.seq > seq and not one.copied for one in self.restores)

    def check(self, report: Report, stated: int) -> None:
        """Report where the lineage that the store states is not the one that its log tells of."""
        before = self.first
        for one in self.restores:
            if one.lineage <= before:
                text = _("entry {n}: it begins lineage {lineage} after lineage {before}")
                report.add(Kind.LINEAGE, text.format(n=one.seq, lineage=one.lineage, before=before), entry=one.seq)
            before = one.lineage
        if stated != self.lineage:
            text = _("the store states lineage {stated}, its audit tells of {told}")
            report.add(Kind.LINEAGE, text.format(stated=stated, told=self.lineage))


@dataclass(frozen=True, slots=True)
class Facts:
    """The log as it was read, to hold anchors against: ``marks`` are what it was at their sizes.

    Entries up to ``removed`` are in archives.
    """

    store_id: str
    lineage: int
    removed: int
    last: int
    marks: Mapping[int, Mark]
    history: History
    public_key: bytes | None


def compare(report: Report, facts: Facts, anchors: Sequence[Anchor], kind: Kind) -> list[Anchor]:
    """Report which of ``anchors`` the log contradicts, each thing once; return those that it bears out."""
    ours = [one for one in anchors if one.store == facts.store_id]
    if foreign := [one for one in anchors if one.store != facts.store_id]:
        text = _("an {what} is of another store, {store}").format(what=_(_NAMES[kind]), store=foreign[0].store)
        report.add(kind, text)
    later = [one for one in ours if one.lineage > facts.lineage]
    archived = [one for one in ours if one.n < facts.removed and one.lineage <= facts.lineage]
    within = [one for one in ours if facts.removed <= one.n <= facts.last]
    there = [one for one in within if facts.history.of(one.n) == one.lineage]
    beyond = [one for one in ours if one.n > facts.last and one.lineage == facts.lineage]
    off = [one for one in there if not _agrees(one, facts.marks.get(one.n))]
    wrong = set(off)
    true = [one for one in there if one not in wrong]
    if later:
        _older_store(report, facts, max(later, key=lambda one: (one.lineage, one.n)), kind)
    if beyond:
        _cut(report, facts, max(beyond, key=lambda one: one.n), kind)
    if off:
        _rewritten(report, off, kind)
    if kind == Kind.CHECKPOINT:
        _taken_back(report, facts, [one for one in ours if one not in {*there, *beyond, *later, *archived}], true)
        if archived and not true:
            _archived(report, facts, max(archived, key=lambda one: (one.lineage, one.n)))
    _signatures(report, facts, ours, kind)
    return true


def _agrees(anchor: Anchor, mark: Mark | None) -> bool:
    # behind a gap nothing is known of hash or root, and the gap is reported
    return mark is None or ((not mark.hash or mark.hash == anchor.hash) and (not mark.root or mark.root == anchor.root))


def _older_store(report: Report, facts: Facts, anchor: Anchor, kind: Kind) -> None:
    text = _("the store is of lineage {here}, but the {what} of {at} is of lineage {there}: an older file was put back")
    words = {"here": facts.lineage, "there": anchor.lineage, "what": _(_NAMES[kind]), "at": anchor.at}
    report.add(kind, text.format(**words))


def _cut(report: Report, facts: Facts, anchor: Anchor, kind: Kind) -> None:
    text = _("entries {first} to {n} are missing: the {what} of {at} knew them")
    words = {"first": facts.last + 1, "n": anchor.n, "what": _(_NAMES[kind]), "at": anchor.at}
    report.add(kind, text.format(**words), entry=facts.last + 1)


def _rewritten(report: Report, off: Sequence[Anchor], kind: Kind) -> None:
    first = min(off, key=lambda one: one.n)
    text = _("entry {n}: the log up to it is not the one that the {what} of {at} states: it was rewritten")
    told = text.format(n=first.n, what=_(_NAMES[kind]), at=first.at)
    if len(off) > 1:
        told += _("; {more} more disagree").format(more=len(off) - 1)
    report.add(kind, told, entry=first.n)


def _taken_back(report: Report, facts: Facts, lost: Sequence[Anchor], true: Sequence[Anchor]) -> None:
    latest = max((one.lineage for one in true), default=0)
    for one in lost:
        if one.lineage > latest:
            text = _(
                "entry {n}: the checkpoint of {at}, of lineage {lineage}, states it, but it is not in this log, of "
                "lineage {here}: where a restore was meant to take it back, take a new checkpoint"
            )
            words = {"n": one.n, "at": one.at, "lineage": one.lineage, "here": facts.lineage}
            report.add(Kind.CHECKPOINT, text.format(**words), entry=one.n)


def _archived(report: Report, facts: Facts, anchor: Anchor) -> None:
    text = _(
        "entry {n}: the checkpoint of {at} states it, and entries 1 to {removed} were removed to archives: check the "
        "archive with it (usermgmt help verifier), and this log with a later checkpoint"
    )
    report.add(Kind.CHECKPOINT, text.format(n=anchor.n, at=anchor.at, removed=facts.removed), entry=anchor.n)


def _signatures(report: Report, facts: Facts, anchors: Sequence[Anchor], kind: Kind) -> None:
    if not anchors or facts.public_key is None:
        return
    ours = key_id(facts.public_key)
    # where a store was restored without its key it got a new one, and the anchors of before stay as they were
    former = [one for one in anchors if one.lineage < facts.lineage and one.key != ours and kind == Kind.ANCHOR]
    if former:
        text = _("{n} anchors of older lineages are signed by another key; that of entry {first} by {key}")
        report.warnings.append(text.format(n=len(former), first=former[0].n, key=former[0].key))
    forged = [one for one in anchors if one not in former and not verify_signature(one, facts.public_key)]
    if forged:
        text = _("entry {n}: the {what} of {at} is not signed by the key of the store")
        told = text.format(n=forged[0].n, what=_(_NAMES[kind]), at=forged[0].at)
        if len(forged) > 1:
            told += _("; {more} more are not").format(more=len(forged) - 1)
        report.add(kind, told, entry=forged[0].n)


def warn_of_original(report: Report, history: History, anchors: Sequence[Anchor]) -> None:
    """Warn where this store began as a copy and its original went on: what came then is not in the copy."""
    last = history.restores[-1] if history.restores else None
    if last is None or not last.copied:
        return
    lineage, n = last.replaced.get("lineage"), last.replaced.get("n")
    # the entry after the copied ones is the original's own about the copy
    beyond = [one for one in anchors if one.lineage == lineage and isinstance(n, int) and one.n > n + 1]
    if beyond:
        text = _("this store is a copy up to entry {n}; the original went on to entry {last}, at {at}")
        furthest = max(beyond, key=lambda one: one.n)
        report.warnings.append(text.format(n=n, last=furthest.n, at=furthest.at))


def check_prune(report: Report, history: History, begins: Pruned, public_key: Callable[[], bytes]) -> None:
    """Report where the entry of the last prune is not signed by the store: else anybody could write such an entry."""
    archive, n = history.prune.get("archive"), history.prune.get("n")
    sha256 = archive.get("sha256") if isinstance(archive, dict) else None
    try:
        ours = public_key()
    except UsermgmtError as error:
        report.add(Found.BASE, _("no signature can be checked: {problem}").format(problem=error.message))
        return
    if signs(ours, str(history.prune.get("sig")), base.signed_bytes(begins, str(sha256))):
        return
    if history.prune.get("key") != key_id(ours) and history.restored_since(history.prune.get("seq", 0)):
        # where a store was restored without its key it got a new one
        text = _("the prune of entries up to {n} is signed by another key, {key}")
        report.warnings.append(text.format(n=n, key=history.prune.get("key")))
        return
    text = _("the prune of entries up to {n} is not signed by the key of the store")
    report.add(Found.BASE, text.format(n=n))


def check_replaced(report: Report, history: History, anchors: Sequence[Anchor]) -> None:
    """Report restores that name another head than the anchors of the lineage that they replaced."""
    known: dict[Any, str] = {(one.lineage, one.n): one.hash for one in anchors}
    for restore in history.restores:
        place = (restore.replaced.get("lineage"), restore.replaced.get("n"))
        if known.get(place, restore.replaced.get("hash")) != restore.replaced.get("hash"):
            text = _("entry {n}: it says that entry {old} of lineage {lineage} was another than the anchored one")
            report.add(Kind.LINEAGE, text.format(n=restore.seq, lineage=place[0], old=place[1]), entry=restore.seq)
