"""``audit prune``: the oldest entries into an archive, and then out of the store.

The order: verify everything, write the archive, read it again, record that it leaves the store, give it its name; and
then in one transaction say again what the removed entries said of rows that are still there, say what is removed, and
remove it. Killed before the last step the store is as it was, and the archive, if it has its name, a recorded export.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.audit import archive, lineages, restating
from usermgmt.domains.audit.errors import NotPruned, PrunedMeanwhile, TooYoung
from usermgmt.domains.audit.export import End
from usermgmt.domains.audit.report import Report
from usermgmt.domains.audit.verify import Check, Vouchers
from usermgmt.domains.store import places
from usermgmt.kernel.audit import anchor as anchoring
from usermgmt.kernel.audit import base as bases
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.entries import parsed
from usermgmt.kernel.clock import to_text
from usermgmt.kernel.context import AskFirst
from usermgmt.kernel.errors import IntegrityBroken, UsageProblem, UsermgmtError
from usermgmt.kernel.events import E
from usermgmt.kernel.files import whole_file
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.invocation import ask
from usermgmt.kernel.results import REMOVED, UNCHANGED, Change
from usermgmt.kernel.tables import audit_base, audit_entry, audit_head, audit_pii
from usermgmt.kernel.transaction import reading, record, writing

if TYPE_CHECKING:
    from pathlib import Path

    from usermgmt.domains.audit.archive import Archive
    from usermgmt.kernel.audit.base import Base
    from usermgmt.kernel.context import Context

_STORE = ("created_at", "simulated", "region")
_LINEAGES = (E.STORE_RESTORE, E.STORE_COPY, E.STORE_COPY_TO)


@dataclass(frozen=True, slots=True)
class Span:
    """The entries to remove: those after ``base`` up to ``last``, all of them older than ``before``."""

    before: str
    base: Base
    last: int
    hash: str

    @property
    def count(self) -> int:
        """How many they are."""
        return self.last - self.base.n


def prune(ctx: Context, before: str, out: str) -> Change:
    """Remove the entries older than ``before`` into the new file ``out``; ``unchanged`` where there are none.

    Raises ``TooYoung``, ``NotPruned``, ``ArchiveBroken``, ``PrunedMeanwhile``, ``NeedsConfirmation``, ``FileExists``,
    ``FileMissing``, ``DiskFull``, ``KeyFault``,
    ``AnchorFault``.
    """
    ctx.target = "store"
    moment = ctx.moment(before, "--before", direction="past")
    _check_age(ctx, moment)
    if out == "-":
        hint = N_("name a new file: it is read again before anything is removed")
        raise UsageProblem(hint=hint, problem=_("the archive cannot go to standard output"))
    path = ctx.path(out)
    with reading(ctx):
        span = _span(ctx, moment)
    if not span.count:
        return _change(UNCHANGED, span, path, None, 0)
    places.check_free(path, 0)
    # without it nothing could be signed, and that is better known before everything is read
    keys.load_key(ctx.store.key_dir)
    _confirm(ctx, span)
    made = _archived(ctx, span, path)
    return _removed(ctx, span, path, made)


def _check_age(ctx: Context, moment: str) -> None:
    latest = to_text(ctx.clock.now() - timedelta(seconds=ctx.settings.seconds("audit.retention")))
    if moment > latest:
        raise TooYoung(retention=ctx.settings.shown("audit.retention"), before=moment, latest=latest)


def _span(ctx: Context, moment: str) -> Span:
    """Return the longest beginning of the log that has no entry of ``moment`` or later: clocks go back as well."""
    begins = bases.load(ctx.db, ctx.store.meta.store_id)
    query = sa.select(sa.func.min(audit_entry.c.seq)).where(audit_entry.c.at >= moment, audit_entry.c.seq > begins.n)
    kept = ctx.db.execute(query).scalar()
    last = kept - 1 if kept is not None else ctx.db.execute(sa.select(audit_head.c.seq)).scalar_one()
    return Span(moment, begins, last, _hash(ctx, last) or begins.hash)


def _hash(ctx: Context, seq: int) -> str | None:
    found: str | None = ctx.db.execute(sa.select(audit_entry.c.hash).where(audit_entry.c.seq == seq)).scalar()
    return found


def _confirm(ctx: Context, span: Span) -> None:
    question = _("Remove audit entries {first} to {last} into an archive?")
    try:
        ctx.confirm(span.count, question.format(first=span.base.n + 1, last=span.last), grave=False)
    except AskFirst as asked:
        # no lock is held here; what is asked about is compared once one is
        ask(ctx, asked)


# -- the archive -------------------------------------------------------------------------------------------------------


def _archived(ctx: Context, span: Span, path: Path) -> Archive | None:
    """Verify the store and write the archive of the same snapshot; a rehearsal only verifies."""
    # what cannot be read is no damage: it is 8, where audit verify would say 12
    kept = anchoring.read_all(ctx.store.anchor_file).anchors
    vouchers = Vouchers(kept, [], keys.load_public_key(ctx.store.key_dir))
    report = Report()
    with reading(ctx):
        if _span(ctx, span.before) != span:
            raise PrunedMeanwhile
        check = Check(ctx, report, vouchers, {span.last})
        check.run(state=True)
        if report.problems:
            raise NotPruned(finding=report.findings[0]["message"], problems=report.problems)
        for warning in report.warnings:
            ctx.warn(warning)
        if ctx.store.key is not None:
            ctx.warn(_("the store is encrypted, and the archive is not: keep it where nobody else can read it"))
        if ctx.dry_run:
            return None
        lineage = lineages.History(ctx.db).of(span.last)
        end = End(span.last, lineage, span.hash, check.marked[span.last].root)
        with whole_file(path) as stream:
            made = archive.write(ctx, stream, path, kept, span.base, end)
            facts = {"count": span.count, "format": "ndjson", "last": span.last, "sha256": made.sha256}
            record(ctx, E.AUDIT_EXPORT, "store", facts=facts)
    return made


# -- the removal -------------------------------------------------------------------------------------------------------


def _removed(ctx: Context, span: Span, path: Path, made: Archive | None) -> Change:
    try:
        with writing(ctx):
            if bases.load(ctx.db, ctx.store.meta.store_id) != span.base or _hash(ctx, span.last) != span.hash:
                raise PrunedMeanwhile
            facts = _facts(ctx, span, path, made)
            restated = restating.restate(ctx, span.last)
            ctx.audit(E.AUDIT_PRUNE, "store", facts={**facts, "restated": restated})
            ctx.log.close()
            if made is not None:
                _take_away(ctx, span, made)
    except UsermgmtError:
        if made is not None:
            told = _("the archive {path} is whole, and stays; what it holds may still be in the store")
            ctx.warn(told.format(path=path))
        raise
    return _change(REMOVED, span, path, made, restated)


def _facts(ctx: Context, span: Span, path: Path, made: Archive | None) -> dict[str, Any]:
    """Return what the log keeps of the prune: enough to go on without the removed entries.

    Of the archive's place only the name, since a path may tell of persons.
    """
    _seq, first = bases.first_facts(ctx.db)
    return {
        **({} if made is None else _signed(ctx, made, path)),
        "count": span.count,
        "before": span.before,
        "retention": ctx.settings.shown("audit.retention"),
        "lineage": lineages.History(ctx.db).of(span.last),
        "last_lineage": _last_lineage(ctx, span.last),
        "made": {name: first.get(name) for name in _STORE},
    }


def _signed(ctx: Context, made: Archive, path: Path) -> dict[str, Any]:
    stated = made.base.stated(ctx.store.meta.store_id)
    key = keys.load_key(ctx.store.key_dir)
    return {
        **stated._asdict(),
        "archive": {"file": path.name, "sha256": made.sha256, "bytes": made.bytes},
        "key": keys.key_id(key.public),
        "sig": key.signature(bases.signed_bytes(stated, made.sha256)),
    }


def _last_lineage(ctx: Context, last: int) -> int:
    """Return the highest number of a lineage that the removed entries gave, to this store or to a copy of it."""
    query = sa.select(audit_entry.c.body).where(
        audit_entry.c.action.in_([action.value for action in _LINEAGES]),
        audit_entry.c.outcome == "ok",
        audit_entry.c.seq <= last,
    )
    given = [parsed(body).get("lineage") for body in ctx.db.execute(query).scalars()]
    given.append(bases.last_prune(ctx.db).get("last_lineage"))
    return max((one for one in given if isinstance(one, int)), default=1)


def _take_away(ctx: Context, span: Span, made: Archive) -> None:
    ctx.db.execute(sa.delete(audit_pii).where(audit_pii.c.seq <= span.last))
    gone = ctx.db.execute(sa.delete(audit_entry).where(audit_entry.c.seq <= span.last)).rowcount
    if gone != span.count:
        raise IntegrityBroken(problem=_("{n} entries were to go, and there are {gone}").format(n=span.count, gone=gone))
    ctx.db.execute(sa.delete(audit_base))
    begins = {"seq": made.base.n, "hash": made.base.hash, "frontier": made.base.frontier}
    ctx.db.execute(sa.insert(audit_base).values(id=1, **begins))


def _change(outcome: str, span: Span, path: Path, made: Archive | None, restated: int) -> Change:
    name = _("{first} to {last}").format(first=span.base.n + 1, last=span.last)
    if not span.count:
        name = _("before {time}").format(time=span.before)
    return Change(
        outcome,
        N_("audit entries"),
        name,
        {
            "n": span.last,
            "count": span.count,
            "before": span.before,
            "archive": str(path) if span.count else None,
            "bytes": made.bytes if made is not None else None,
            "sha256": made.sha256 if made is not None else None,
            "hash": span.hash,
            "restated": restated,
        },
        note=_("archive: {path}").format(path=path) if span.count else "",
    )
