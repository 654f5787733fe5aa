"""One entry whole: what it says, whether its hash holds, and what became of each personal part it commits to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.audit.errors import EntryArchived, NoEntry
from usermgmt.domains.audit.types import PartState
from usermgmt.domains.audit.views import ENTRY_SHOWN
from usermgmt.kernel.audit import base, entries
from usermgmt.kernel.audit.format import (
    ERASURE_ACTION,
    commitment,
    entry_hash,
    erased_subjects,
    part_subject,
)
from usermgmt.kernel.tables import audit_entry, audit_head, audit_pii

if TYPE_CHECKING:
    from usermgmt.kernel.context import Context

_FACTS = ("at", "change_id", "actor", "via", "action", "target", "outcome", "body", "commits")


def entry(ctx: Context, seq: int) -> dict[str, Any]:
    """Return the entry ``seq``; raises ``NoEntry``."""
    shown = entries.one(ctx, seq)
    if shown is None:
        raise _missing(ctx, seq)
    ctx.target = shown["target"]
    row: Any = ctx.db.execute(sa.select(audit_entry).where(audit_entry.c.seq == seq)).one()
    before = _hash_before(ctx, seq)
    holds = before is not None and _holds(row, before)
    whole = {**shown, "previous_hash": before, "holds": holds, "parts": _parts(ctx, row)}
    return {name: whole[name] for name in ENTRY_SHOWN.names}


def _missing(ctx: Context, seq: int) -> NoEntry:
    removed = base.load(ctx.db, ctx.store.meta.store_id).n
    if seq <= removed:
        return EntryArchived(seq=seq, removed=removed)
    return NoEntry(seq=seq, last=ctx.db.execute(sa.select(audit_head.c.seq)).scalar())


def _hash_before(ctx: Context, seq: int) -> str | None:
    begins = base.load(ctx.db, ctx.store.meta.store_id)
    if seq == begins.n + 1:
        return begins.hash
    return ctx.db.execute(sa.select(audit_entry.c.hash).where(audit_entry.c.seq == seq - 1)).scalar()


def _holds(row: Any, before: str) -> bool:
    try:
        facts: Any = tuple(row._mapping[name] for name in _FACTS)  # noqa: SLF001 - SQLAlchemy's public name
        return bool(entry_hash(bytes.fromhex(before), row.seq, facts).hex() == row.hash)
    except ValueError:
        return False


def _parts(ctx: Context, row: Any) -> list[dict[str, Any]]:
    stated = row.commits.split(",") if row.commits else []
    query = sa.select(audit_pii).where(audit_pii.c.seq == row.seq).order_by(audit_pii.c.part)
    there = {part["part"]: part for part in ctx.db.execute(query).mappings()}
    return [_part(ctx, row, number, stated, there.get(number)) for number in sorted({*range(len(stated)), *there})]


def _part(ctx: Context, row: Any, number: int, stated: list[str], part: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"part": number, "commitment": stated[number] if number < len(stated) else None}
    if part is None:
        subject = part_subject(number, row.target, row.body)
        state = PartState.ERASED if _erased(ctx, row.seq, subject) else PartState.MISSING
        return {**shown, "subject": subject, "state": state.value}
    hiding = entries.Hiding(ctx, row.target)
    shown |= {"subject": part["subject"], "state": _state(part, shown["commitment"]).value}
    if ctx.output.reveal:
        # whoever has the salt can try values until one fits the commitment: it is as personal as the part
        shown["salt"] = part["salt"]
    return {**shown, "content": hiding.content(entries.parsed(part["body"]))}


def _state(part: Any, stated: str | None) -> PartState:
    if stated is None:
        return PartState.UNCOMMITTED
    try:
        made = commitment(bytes.fromhex(part["salt"]), part["subject"], part["body"])
    except ValueError:
        return PartState.ALTERED
    return PartState.VERIFIED if made == stated else PartState.ALTERED


def _erased(ctx: Context, seq: int, subject: str) -> bool:
    query = sa.select(audit_entry.c.target, audit_entry.c.body).where(
        audit_entry.c.action == ERASURE_ACTION, audit_entry.c.outcome == "ok", audit_entry.c.seq > seq
    )
    return any(subject in erased_subjects(target, body) for target, body in ctx.db.execute(query))
