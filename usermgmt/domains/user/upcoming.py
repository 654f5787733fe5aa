"""Which accounts begin and end to count, for ``upcoming``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user.state import user
from usermgmt.domains.user.types import Status
from usermgmt.kernel.jobs import Due

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context

_ENDED = (Status.CLOSED.value, Status.ERASED.value)
_CHUNK = 1000


def opening(ctx: Context, until: str) -> Iterator[Due]:
    """Yield the accounts that begin to count before ``until``."""
    return _windows(ctx, user.c.valid_from, until, "user.opens")


def ending(ctx: Context, until: str) -> Iterator[Due]:
    """Yield the accounts whose time is over before ``until``."""
    return _windows(ctx, user.c.valid_until, until, "user.ends")


def _windows(ctx: Context, end: Any, until: str, kind: str) -> Iterator[Due]:
    query = (
        sa.select(end.label("at"), user.c.uid, user.c.username)
        .where(end > ctx.now, end < until, user.c.status.not_in(_ENDED))
        .order_by(end, user.c.id)
    )
    with ctx.db.execute(query.execution_options(yield_per=_CHUNK)) as rows:
        for row in rows:
            yield Due(row.at, kind, f"user:{row.uid}", row.username)
