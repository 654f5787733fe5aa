"""``audit verify``: whether the log, its head, its anchors, the schema and, if asked, every audited row hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.audit import lineages, stated
from usermgmt.domains.audit.errors import NoAnchors
from usermgmt.domains.audit.report import Kind, Report
from usermgmt.kernel import schema, sqlite
from usermgmt.kernel.audit import anchor as anchoring
from usermgmt.kernel.audit import base, keys, rows
from usermgmt.kernel.audit import verifier as checking
from usermgmt.kernel.audit.verifier import Verifier
from usermgmt.kernel.errors import Exit, UsermgmtError
from usermgmt.kernel.i18n import _
from usermgmt.kernel.progress import progress
from usermgmt.kernel.results import Record
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.kernel.text import neutral
from usermgmt.kernel.transaction import reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.audit.anchor import Anchor
    from usermgmt.kernel.audit.format import EntryRow
    from usermgmt.kernel.audit.verifier import Mark
    from usermgmt.kernel.context import Context

_LARGEST = 64 << 20
"""Bytes that a file of anchors may have: a hundred times what thinning leaves of one."""


@dataclass(frozen=True, slots=True)
class Vouchers:
    """What speaks for the log from outside the store: its anchors, a checkpoint from elsewhere, the public key."""

    anchors: list[Anchor]
    given: list[Anchor]
    public_key: bytes | None

    @property
    def sizes(self) -> set[int]:
        """The sizes of the log that they speak of."""
        return {one.n for one in (*self.anchors, *self.given)}


def verify(ctx: Context, *, state: bool, given: str) -> Record:
    """Verify the audit; ``state`` folds it too, ``given`` names a checkpoint or anchor file kept elsewhere.

    Raises ``FileMissing``, ``NoAnchors`` where ``given`` cannot be used.
    """
    report = Report()
    # before the snapshot: an anchor read after it could speak of what another writer has done since
    vouchers = _vouchers(ctx, report, given)
    with reading(ctx):
        values = Check(ctx, report, vouchers).run(state=state)
    report.tell(ctx)
    values |= {"problems": report.problems, "findings": report.findings, "warnings": report.warnings}
    return Record({"holds": not report.problems, **values}, exit=Exit.INTEGRITY if report.problems else None)


def _vouchers(ctx: Context, report: Report, given: str) -> Vouchers:
    kept = _anchors_of(ctx, report)
    elsewhere = _read(ctx, given) if given else []
    public_key = None
    if kept or elsewhere:
        try:
            public_key = keys.load_public_key(ctx.store.key_dir)
        except UsermgmtError as error:
            report.add(Kind.ANCHOR, _("no signature can be checked: {problem}").format(problem=error.message))
    return Vouchers(kept, elsewhere, public_key)


def _anchors_of(ctx: Context, report: Report) -> list[Anchor]:
    path = ctx.store.anchor_file
    try:
        found = anchoring.read_all(path)
    except anchoring.AnchorFault as fault:
        report.add(Kind.ANCHOR, fault.message)
        return []
    if found.unreadable:
        # a crash tears a line, so this is no proof of anything; whoever damages lines gains what deleting them gains
        lines = ", ".join(map(str, found.unreadable))
        report.warnings.append(_("{path}: no anchor can be read from line {lines}").format(path=path, lines=lines))
    if found.torn:
        text = _("{path}: line {line}, the last, is torn, as by a power cut: what it said of the log is lost")
        report.warnings.append(text.format(path=path, line=found.torn))
    if not found.anchors:
        text = _("there are no anchors in {path}: an older file put back in place of the store would not show")
        report.warnings.append(text.format(path=path))
    return found.anchors


def _read(ctx: Context, given: str) -> list[Anchor]:
    stream = ctx.open_input(given)
    try:
        data = stream.read(_LARGEST)
    finally:
        if given != "-":
            stream.close()
    found = []
    for line in data.splitlines(keepends=True):
        try:
            found.append(anchoring.Anchor.parse(line))
        except ValueError:
            continue
    if not found:
        raise NoAnchors(path=given)
    return found


class Check:
    """One verification inside one snapshot."""

    def __init__(self, ctx: Context, report: Report, vouchers: Vouchers, marks: Iterable[int] = ()) -> None:
        """Begin in the running transaction; ``marks`` are sizes of the log at which ``marked`` is wanted."""
        self.marked: dict[int, Mark] = {}
        self._sizes = {*marks, *vouchers.sizes}
        self.ctx = ctx
        self.db: Connection = ctx.db
        self.report = report
        self.vouchers = vouchers
        # read in this snapshot: a restore may have come between it and the opening of the store
        self.meta: Any = self.db.execute(sa.select(store_meta)).one()
        self.head: Any = self.db.execute(sa.select(audit_head)).one_or_none()
        self.base = base.load(self.db, self.meta.store_id)
        self.revision = ctx.store.meta.schema

    def run(self, *, state: bool) -> dict[str, Any]:
        """Check everything and return what is shown."""
        log = self._log()
        self.marked = log.marks
        self._check_head(log)
        self._check_store()
        history = lineages.History(self.db)
        history.check(self.report, self.meta.lineage)
        if self.base.n:
            lineages.check_prune(self.report, history, self.base.stated(self.meta.store_id), self._public_key)
        vouched = self._check_vouchers(log, history)
        self._check_schema()
        if state and self.db.dialect.name == "sqlite" and (damage := sqlite.damage(self.db)):
            # an index that lost a row hides it from whoever looks for it
            self.report.add(Kind.STORE, _("the file is damaged: {problem}").format(problem=damage))
        return {
            "entries": log.n,
            "removed": self.base.n,
            "hash": log.head_hash or None,
            "root": log.root or None,
            "lineage": self.meta.lineage,
            "anchors": len(vouched),
            "anchored": max((one.n for one in vouched), default=0),
            "redacted": log.redacted,
            "rows": self._state() if state else None,
        }

    def _public_key(self) -> bytes:
        return self.vouchers.public_key or keys.load_public_key(self.ctx.store.key_dir)

    def _log(self) -> Verifier:
        found = Report()
        try:
            log = self._read(found)
        except sqlite.driver().OperationalError as error:
            if "decode" not in str(error):
                raise
            # text that is no UTF-8: read again so that the verifier meets it, and names the entry
            raw: Any = self.db.connection.driver_connection
            raw.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            found = Report()
            log = self._read(found)
        self.report.take(found)
        return log

    def _read(self, found: Report) -> Verifier:
        head = None if self.head is None else (self.head.seq, self.head.hash)
        log = Verifier(self.meta.store_id, base=self.base, marks=self._sizes, head=head)
        with progress(self.ctx, _("entries"), head[0] - self.base.n if head else None) as bar:
            self._take(found, log, bar.through(rows.entries(self.db)))
        return log

    def _take(self, found: Report, log: Verifier, entries: Iterable[EntryRow]) -> None:
        for one in log.run(entries, rows.parts(self.db)):
            # a gap names its entries itself
            template = "{detail}" if one.kind == checking.Kind.GAP else _("entry {n}: {detail}")
            found.add(one.kind, template.format(n=one.seq, detail=one.detail), entry=one.seq)

    def _state(self) -> int:
        with progress(self.ctx, _("rows"), None):
            return stated.check(self.db, self.report)

    def _check_head(self, log: Verifier) -> None:
        if self.head is None:
            self.report.add(checking.Kind.HEAD, _("the head of the log is missing"))
        elif log.root and log.n == self.head.seq and log.tree.dump() != self.head.frontier:
            text = _("the frontier beside the head of the log is not that of its {n} entries")
            self.report.add(Kind.FRONTIER, text.format(n=log.n))

    def _check_schema(self) -> None:
        found = schema.compare(self.db, self.revision)
        for name in found.names:
            text = _("the schema is not what this program makes: {name}")
            self.report.add(Kind.SCHEMA, text.format(name=name), name=name)
        if not found.whole:
            self.report.warnings.append(_(schema.PARTLY))

    def _check_store(self) -> None:
        """Compare what the store says of itself with its first entry, or the prune that took its place."""
        seq, told = base.first_facts(self.db)
        if not seq:
            return
        for name in ("simulated", "region", "created_at"):
            here, value = getattr(self.meta, name), told.get(name)
            if here != value:
                text = _("the store states {name} {here}, its first entry {value}")
                message = text.format(name=name, here=neutral(str(here)), value=neutral(str(value)))
                self.report.add(Kind.STORE, message, entry=seq, name=name)

    def _check_vouchers(self, log: Verifier, history: lineages.History) -> list[Anchor]:
        public = self.vouchers.public_key
        facts = lineages.Facts(self.meta.store_id, self.meta.lineage, self.base.n, log.n, log.marks, history, public)
        vouched = lineages.compare(self.report, facts, self.vouchers.anchors, Kind.ANCHOR)
        vouched += lineages.compare(self.report, facts, self.vouchers.given, Kind.CHECKPOINT)
        lineages.warn_of_original(self.report, history, self.vouchers.anchors)
        lineages.check_replaced(self.report, history, [*self.vouchers.anchors, *self.vouchers.given])
        return vouched
