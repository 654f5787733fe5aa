"""``audit export``: the whole log, as lines that the stand-alone verifier reads, or that systems for logs do."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.audit import siem
from usermgmt.domains.audit.types import ExportFormat
from usermgmt.kernel.audit import anchor, keys, rows
from usermgmt.kernel.audit.format import export_header, export_lines
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.audit.log import broken
from usermgmt.kernel.errors import UsermgmtError
from usermgmt.kernel.events import E
from usermgmt.kernel.files import whole_file
from usermgmt.kernel.i18n import _
from usermgmt.kernel.results import Bytes
from usermgmt.kernel.tables import audit_head, store_meta
from usermgmt.kernel.transaction import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from usermgmt.kernel.context import Context


def export(ctx: Context, format_: ExportFormat, out: str) -> Bytes | None:
    """Write the log of this snapshot to the file ``out``, or return its lines for standard output.

    The export is recorded first: where the entry cannot be written, nothing leaves the store. Raises ``FileExists``,
    ``FileMissing``, ``DiskFull``.
    """
    # before the record of the export adds an anchor that is ahead of this snapshot
    kept = _anchors(ctx) if format_ == ExportFormat.NDJSON else []
    n = ctx.db.execute(sa.select(audit_head.c.seq)).scalar_one()
    facts = {"count": n, "format": format_.value}
    if out in ("", "-"):
        record(ctx, E.AUDIT_EXPORT, "store", facts=facts)
        return Bytes(_lines(ctx, format_, kept))
    path = ctx.path(out)
    with whole_file(path) as stream:
        record(ctx, E.AUDIT_EXPORT, "store", facts=facts)
        for line in _lines(ctx, format_, kept):
            stream.write(line)
    ctx.note(_("{path}: {n} entries").format(path=path, n=n))
    return None


def _anchors(ctx: Context) -> list[anchor.Anchor]:
    try:
        return anchor.read_all(ctx.store.anchor_file).anchors
    except anchor.AnchorFault as fault:
        ctx.warn(fault.message)
        return []


def _lines(ctx: Context, format_: ExportFormat, kept: list[anchor.Anchor]) -> Iterator[bytes]:
    if format_ != ExportFormat.NDJSON:
        line = {ExportFormat.CEF: siem.cef, ExportFormat.ECS: siem.ecs}[format_](ctx.store.meta.store_id)
        return map(line, rows.entries(ctx.db))
    return chain((_header(ctx, kept),), export_lines(rows.entries(ctx.db), rows.parts(ctx.db)))


def _header(ctx: Context, kept: list[anchor.Anchor]) -> bytes:
    query = sa.select(audit_head, store_meta.c.store_id, store_meta.c.lineage).join(store_meta, sa.true())
    head: Any = ctx.db.execute(query).one()
    try:
        root = Frontier.load(head.seq, head.frontier).root().hex()
    except ValueError:
        raise broken(_("the frontier of the log is damaged")) from None
    return export_header(
        store=head.store_id,
        lineage=head.lineage,
        n=head.seq,
        head=head.hash,
        root=root,
        at=ctx.now,
        public_key=_public_key(ctx),
        anchor=_vouching(kept, head),
    )


def _vouching(kept: list[anchor.Anchor], head: Any) -> dict[str, Any] | None:
    """Return the last anchor that speaks of this snapshot: signed when the log was written, and not now."""
    for one in reversed(kept):
        if (one.store, one.lineage) == (head.store_id, head.lineage) and one.n <= head.seq:
            return one.as_dict()
    return None


def _public_key(ctx: Context) -> str:
    try:
        return keys.load_public_key(ctx.store.key_dir).hex()
    except UsermgmtError as error:
        ctx.warn(error.message)
        return ""
