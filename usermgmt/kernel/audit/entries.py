"""Reading the audit: entries with their personal parts, masked as the fields they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from usermgmt.kernel import registry
from usermgmt.kernel.results import Listing
from usermgmt.kernel.selectors import And, Compare, Predicate, column, compile_predicate
from usermgmt.kernel.tables import audit_entry, audit_pii
from usermgmt.kernel.text import MASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy.engine import RowMapping

    from usermgmt.kernel.context import Context

_CHUNK = 500

FIELDS = {name: column(audit_entry.c[name]) for name in ("seq", "at", "actor", "action", "target", "outcome", "change_id")}


def filters(ctx: Context, *, since: str = "", until: str = "", **equal: str) -> Predicate:
    """Return the predicate of the audit's filters; raises ``BadTime``."""
    parts: list[Predicate] = [Compare(name, "=", value) for name, value in equal.items() if value]
    if since:
        parts.append(Compare("at", ">=", ctx.moment(since, "--since", direction="past")))
    if until:
        parts.append(Compare("at", "<", ctx.moment(until, "--until", "end", direction="past")))
    return And(tuple(parts))


def listing(ctx: Context, wanted: Predicate, *, limit: int | None = None, last: bool = False) -> Listing:
    """List entries, oldest first, as ``ctx.fields``; with ``last`` the newest ``limit`` ones."""
    where = compile_predicate(wanted, FIELDS)
    query = sa.select(audit_entry).where(where)
    if last and limit is not None:
        newest = sa.select(audit_entry.c.seq).where(where).order_by(audit_entry.c.seq.desc()).limit(limit).subquery()
        query = query.where(audit_entry.c.seq.in_(sa.select(newest.c.seq)))
    elif limit is not None:
        query = query.limit(limit)

    def total() -> int:
        return int(ctx.db.execute(sa.select(sa.func.count()).select_from(audit_entry).where(where)).scalar_one())

    return Listing(ctx.fields, _rows(ctx, query.order_by(audit_entry.c.seq)), None if last else total)


def one(ctx: Context, seq: int) -> dict[str, Any] | None:
    """Return the entry ``seq``."""
    found = ctx.db.execute(sa.select(audit_entry).where(audit_entry.c.seq == seq)).mappings().all()
    return next(iter(_told(ctx, found)), None)


def _rows(ctx: Context, query: Any) -> Iterator[tuple[Any, ...]]:
    result = ctx.db.execute(query.execution_options(yield_per=_CHUNK))
    for chunk in result.mappings().partitions(_CHUNK):
        for entry in _told(ctx, chunk):
            yield tuple(entry[name] for name in ctx.fields)


def _told(ctx: Context, rows: Iterable[RowMapping]) -> Iterator[dict[str, Any]]:
    """Yield entries as objects: changes and reason put together from the entry and its personal parts."""
    rows = list(rows)
    parts: dict[int, list[dict[str, Any]]] = {}
    query = sa.select(audit_pii.c.seq, audit_pii.c.body).where(audit_pii.c.seq.in_([row["seq"] for row in rows]))
    for seq, body in ctx.db.execute(query.order_by(audit_pii.c.seq, audit_pii.c.part)):
        parts.setdefault(seq, []).append(orjson.loads(body))
    names = _names(ctx, rows)
    for row in rows:
        yield _entry(ctx, row, parts.get(row["seq"], []), names)


def _entry(
    ctx: Context, row: RowMapping, parts: list[dict[str, Any]], names: Mapping[str, str]
) -> dict[str, Any]:
    facts = orjson.loads(row["body"])
    changes = facts.pop("changes", {})
    reason = None
    for part in parts:
        changes |= part.pop("changes", {})
        reason = part.pop("reason", reason)
        facts |= part
    hide = masker(ctx, row["target"])
    return {
        **{name: row[name] for name in ("seq", "at", "actor", "action", "target", "outcome", "change_id", "hash")},
        "target_name": names.get(row["target"]),
        "reason": reason,
        "changes": {name: [hide(name, value) for value in pair] for name, pair in sorted(changes.items())},
        "facts": facts,
        "via": orjson.loads(row["via"]),
    }


def masker(ctx: Context, target: str) -> Callable[[str, Any], Any]:
    """Return what hides a field's value, by what the kind of ``target`` declares; the field itself where revealed."""
    declared = registry.audited(target.partition(":")[0])
    masks = {} if declared is None or ctx.output.reveal else declared.masks

    def hide(name: str, value: Any) -> Any:
        mask = masks.get(name)
        if mask is None or value is None:
            return value
        return [MASKS[mask](item) for item in value] if isinstance(value, list) else MASKS[mask](str(value))

    return hide


def _names(ctx: Context, rows: list[RowMapping]) -> dict[str, str]:
    """Return what people call the targets of these entries."""
    if "target_name" not in ctx.fields and ctx.fields:
        return {}
    wanted: dict[str, list[str]] = {}
    for target in {row["target"] for row in rows}:
        kind, _colon, uid = target.partition(":")
        wanted.setdefault(kind, []).append(uid)
    found: dict[str, str] = {}
    for kind, uids in wanted.items():
        declared = registry.audited(kind)
        if declared is not None and declared.names:
            resolve: Any = registry.resolve(declared.names)
            found |= {f"{kind}:{uid}": name for uid, name in resolve(ctx.db, uids).items()}
    return found
