"""When the next backup is due, for ``upcoming``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from usermgmt.kernel.clock import from_text, to_text
from usermgmt.kernel.events import E
from usermgmt.kernel.jobs import Due
from usermgmt.kernel.tables import audit_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context


def backup(ctx: Context, until: str) -> Iterator[Due]:
    """Yield the backup that is due ``store.backup_every`` after the last one, or after the store was made."""
    every = ctx.settings.seconds("store.backup_every")
    if not every:
        return
    made = sa.select(audit_entry.c.at).where(audit_entry.c.action == E.STORE_BACKUP).order_by(audit_entry.c.seq.desc())
    last = ctx.db.execute(made.limit(1)).scalar() or ctx.store.meta.created_at
    try:
        at = to_text(from_text(last) + timedelta(seconds=every))
    except OverflowError:
        return
    if at < until:
        yield Due(at, "backup", "store", ctx.store.place.label, overdue=at <= ctx.now)
