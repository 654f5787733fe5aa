"""Says again, on the log, all of each audited row of which older entries are about to be removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.audit import stated
from usermgmt.domains.audit.errors import NotPruned
from usermgmt.kernel import registry
from usermgmt.kernel.audit.log import Draft, canonical, split
from usermgmt.kernel.bulk import among
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import _
from usermgmt.kernel.tables import audit_entry

if TYPE_CHECKING:
    from usermgmt.kernel.audit.fold import Fold, Row
    from usermgmt.kernel.context import Context


def restate(ctx: Context, last: int) -> int:
    """Append an entry for each audited row that has entries up to ``last``, and return how many there are.

    Each row is compared once more with what its entries give, while no writer can change either: what is said again is
    what was on the log before. Written as it goes, so that memory holds a thousand rows. Raises ``NotPruned``.
    """
    count = 0
    for declaration in registry.declarations():
        for declared in declaration.audited:
            rows: Any = registry.resolve(declared.rows)
            for batch in stated.batches(rows(ctx.db)):
                count += _restate(ctx, declared.kind, batch, last)
    return count


def _restate(ctx: Context, kind: str, batch: list[Row], last: int) -> int:
    query = sa.select(audit_entry.c.target).where(
        among(ctx.db, audit_entry.c.target, [row.target for row in batch]),
        audit_entry.c.seq <= last,
        audit_entry.c.outcome == "ok",
    )
    older = set(ctx.db.execute(query.distinct()).scalars())
    rows = [row for row in batch if row.target in older]
    if not rows:
        return 0
    folds = stated.fold(ctx.db, kind, [row.target for row in rows])
    for row in rows:
        _check(kind, row, folds[row.target])
    ctx.log.extend(map(_draft, rows))
    ctx.log.close()
    return len(rows)


def _check(kind: str, row: Row, folded: Fold) -> None:
    if fields := folded.differing(row):
        text = _("{kind} {name} ({key}): the row is not what the audit gives: {fields}")
        raise NotPruned(finding=text.format(kind=kind, name=row.name, key=row.key, fields=", ".join(fields)))


def _draft(row: Row) -> Draft:
    body, personal = split(row.target, {name: [None, value] for name, value in row.fields.items()})
    part: dict[str, Any] = {"changes": personal} if personal else {}
    if row.details:
        # former names stand in it
        part["details"] = row.details
    content = canonical({"changes": body, "version": row.version})
    return Draft(E.AUDIT_RESTATE, row.target, "ok", content, canonical(part) if part else "")
