"""Reading the audit: entries with their personal parts, masked as the fields they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from usermgmt.kernel import registry
from usermgmt.kernel.audit.base import last_prune
from usermgmt.kernel.bulk import among
from usermgmt.kernel.i18n import _
from usermgmt.kernel.masking import attributes_hidden
from usermgmt.kernel.results import Listing
from usermgmt.kernel.selectors import And, Compare, Predicate, column, compile_predicate
from usermgmt.kernel.tables import audit_entry, audit_pii
from usermgmt.kernel.text import MASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from usermgmt.kernel.context import Context

_CHUNK = 500
_STORED = ("seq", "at", "actor", "action", "target", "outcome", "change_id", "hash")
_STREAM = {"stream_results": True, "yield_per": _CHUNK}
# joined with nothing, so that no index on time is used: sorting what it finds would need memory for all of it
_UNSORTED_AT = audit_entry.c.at.concat("")


def _outcome(op: str, value: Any) -> Any:
    same = column(audit_entry.c.outcome)(op, value)
    # the index on what was refused is used only where its own condition stands in the query
    return same if value == "ok" else sa.and_(same, sa.text("outcome <> 'ok'"))


FIELDS: Mapping[str, Callable[[str, Any], Any]] = {
    **{name: column(audit_entry.c[name]) for name in ("seq", "actor", "action", "target", "change_id")},
    "at": column(_UNSORTED_AT),
    "outcome": _outcome,
}


def filters(ctx: Context, *, since: str = "", until: str = "", targets: Sequence[str] = (), **equal: str) -> Predicate:
    """Return the predicate of the audit's filters; raises ``BadTime``."""
    parts: list[Predicate] = [Compare(name, "=", value) for name, value in equal.items() if value]
    if targets:
        parts.append(Compare("target", "in", tuple(targets)))
    window: list[Predicate] = []
    if since:
        window.append(Compare("at", ">=", ctx.moment(since, "--since", direction="past")))
    if until:
        window.append(Compare("at", "<", ctx.moment(until, "--until", "end", direction="past")))
    if window and not (targets or equal.get("target") or equal.get("change_id")):
        parts.extend(_bounds(ctx, window))
    return And((*parts, *window))


def _bounds(ctx: Context, window: list[Predicate]) -> list[Predicate]:
    """Return the first and the last entry of a window of time, found on its index; clocks jump, numbers do not."""
    where = compile_predicate(And(tuple(window)), {"at": column(audit_entry.c.at)})
    query = sa.select(sa.func.min(audit_entry.c.seq), sa.func.max(audit_entry.c.seq)).where(where)
    first, last = ctx.db.execute(query).one()
    return [Compare("seq", ">=", first or 1), Compare("seq", "<=", last or 0)]


def listing(ctx: Context, wanted: Predicate, *, limit: int | None = None, last: bool = False) -> Listing:
    """List entries, oldest first, as ``ctx.fields``; with ``last`` the newest ``limit`` ones."""
    where = compile_predicate(wanted, FIELDS)
    plain = [audit_entry.c[name] for name in ctx.fields if name in _STORED]
    # what stands in a column needs neither the entry's JSON nor its personal parts
    whole = len(plain) < len(ctx.fields)
    query = sa.select(audit_entry) if whole else sa.select(*plain)
    if last and limit is not None:
        newest = sa.select(audit_entry.c.seq).where(where).order_by(audit_entry.c.seq.desc()).limit(limit).subquery()
        query = query.where(audit_entry.c.seq.in_(sa.select(newest.c.seq)))
    else:
        query = query.where(where)
    if limit is not None:
        query = query.limit(limit)

    def total() -> int:
        return int(ctx.db.execute(sa.select(sa.func.count()).select_from(audit_entry).where(where)).scalar_one())

    return Listing(ctx.fields, _rows(ctx, query.order_by(audit_entry.c.seq), whole=whole), total, limit)


def tell_removed(ctx: Context, since: str = "") -> None:
    """Say where a list may lack what a prune removed; one that begins later, at ``since``, lacks nothing."""
    facts = last_prune(ctx.db)
    if "n" not in facts or (since and ctx.moment(since, "--since", direction="past") >= str(facts.get("before"))):
        return
    told = _(
        "entries 1 to {n} are in archives, and not in this list; usermgmt audit list --action audit.prune names them"
    )
    ctx.note(told.format(n=facts["n"]))


def known(ctx: Context, target: str) -> bool:
    """Tell whether any entry is about ``target``."""
    return (
        ctx.db.execute(sa.select(audit_entry.c.seq).where(audit_entry.c.target == target).limit(1)).first() is not None
    )


def one(ctx: Context, seq: int) -> dict[str, Any] | None:
    """Return the entry ``seq`` as ``listing`` shows it, or None where there is none."""
    found = ctx.db.execute(sa.select(audit_entry).where(audit_entry.c.seq == seq)).mappings().all()
    return next(_told(ctx, found), None)


def _rows(ctx: Context, query: Any, *, whole: bool) -> Iterator[tuple[Any, ...]]:
    with ctx.db.execute(query, execution_options=_STREAM) as result:
        if not whole:
            yield from map(tuple, result)
            return
        for chunk in result.mappings().partitions(_CHUNK):
            for entry in _told(ctx, chunk):
                yield tuple(entry[name] for name in ctx.fields)


def _told(ctx: Context, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield entries as objects: changes and reason put together from the entry and its personal parts."""
    parts: dict[int, list[dict[str, Any]]] = {}
    mine = among(ctx.db, audit_pii.c.seq, [row["seq"] for row in rows])
    query = sa.select(audit_pii.c.seq, audit_pii.c.body).where(mine)
    for seq, body in ctx.db.execute(query.order_by(audit_pii.c.seq, audit_pii.c.part)):
        parts.setdefault(seq, []).append(parsed(body))
    names = _names(ctx, {row["target"] for row in rows})
    for row in rows:
        yield _entry(ctx, row, parts.get(row["seq"], []), names)


def parsed(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``; one that was meddled with is shown as it is, under ``damaged``."""
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"damaged": text}


def _entry(
    ctx: Context, row: Mapping[str, Any], parts: list[dict[str, Any]], names: Mapping[str, str]
) -> dict[str, Any]:
    facts = parsed(row["body"])
    for part in parts:
        merge(facts, part)
    hiding = Hiding(ctx, row["target"])
    reason, changes, facts = facts.pop("reason", None), hiding.changes(facts.pop("changes", {})), hiding.facts(facts)
    return {
        **{name: row[name] for name in _STORED},
        "target_name": names.get(row["target"]),
        "error": facts.pop("code", None) if row["outcome"] != "ok" else None,
        "reason": reason,
        "changes": changes,
        "facts": facts,
        "via": parsed(row["via"]),
        "masked": hiding.masked,
    }


def merge(into: dict[str, Any], part: dict[str, Any]) -> None:
    """Add to the content of an entry what stands in one of its personal parts."""
    for name, value in part.items():
        if isinstance(into.get(name), dict) and isinstance(value, dict):
            into[name] = {**into[name], **value}
        else:
            into[name] = value


class Hiding:
    """Masks the content of one entry by what the kind of its target declares; ``masked`` names what it masked."""

    def __init__(self, ctx: Context, target: str) -> None:
        declared = registry.audited(target.partition(":")[0])
        self._revealed = ctx.output.reveal
        self._given = ctx.given
        self._masks = {} if declared is None else declared.masks
        self._attributes = ctx.settings.attributes
        self.masked: list[str] = []

    def changes(self, changes: Any) -> Any:
        """Return field -> ``[before, after]`` with personal values masked, in the order of the fields."""
        if not isinstance(changes, dict):
            return {}
        return {
            name: [self._value(f"changes.{name}", self._masks.get(name, ""), value) for value in pair]
            if isinstance(pair, list)
            else pair
            for name, pair in sorted(changes.items())
        }

    def facts(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Return the other things that an entry keeps; why something was refused may quote anything."""
        return {
            name: self._value(f"facts.{name}", "text" if name == "error" else "", value)
            for name, value in facts.items()
        }

    def content(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return a personal part, masked."""
        shown = self.facts({name: value for name, value in part.items() if name != "changes"})
        return {"changes": self.changes(part["changes"]), **shown} if "changes" in part else shown

    def _value(self, name: str, mask: str, value: Any) -> Any:
        if not mask or value is None or self._revealed:
            return value
        if isinstance(value, list):
            return [self._value(name, mask, item) for item in value]
        shown: Any
        if isinstance(value, dict):
            shown = attributes_hidden(value, self._attributes, self._given)
        elif isinstance(value, str) and value in self._given:
            return value
        else:
            shown = MASKS[mask](str(value))
        if (shown != value or not isinstance(value, dict)) and name not in self.masked:
            self.masked.append(name)
        return shown


def _names(ctx: Context, targets: Iterable[str]) -> dict[str, str]:
    """Return what people call these targets."""
    if "target_name" not in ctx.fields and ctx.fields:
        return {}
    wanted: dict[str, list[str]] = {}
    for target in targets:
        kind, _colon, uid = target.partition(":")
        wanted.setdefault(kind, []).append(uid)
    found: dict[str, str] = {}
    for kind, uids in wanted.items():
        declared = registry.audited(kind)
        if declared is not None:
            resolve: Any = registry.resolve(declared.names)
            found |= {f"{kind}:{uid}": name for uid, name in resolve(ctx.db, uids).items()}
    return found
