"""``--reveal``: personal data shown unmasked needs its permission and leaves an entry before it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.kernel import results
from usermgmt.kernel.events import E
from usermgmt.kernel.permissions import P
from usermgmt.kernel.transaction import record

if TYPE_CHECKING:
    from usermgmt.kernel.context import Context


def record_reveal(ctx: Context, result: Any, **facts: Any) -> None:
    """Leave the ``data.reveal`` entry, with further ``facts``, for what is about to be shown.

    Raises ``Denied``; where the entry cannot be written, nothing is shown.
    """
    ctx.require(P.DATA_REVEAL)
    count = 1
    if isinstance(result, results.Listing):
        count = result.total() if result.total is not None else 0
        count = count if result.limit is None else min(count, result.limit)
    record(ctx, E.DATA_REVEAL, ctx.target, facts={"count": count, "fields": list(ctx.fields), **facts})
