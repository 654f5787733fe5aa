"""``audit export``: the whole log, as lines that the stand-alone verifier reads, or that systems for logs do."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from usermgmt.domains.audit import siem
from usermgmt.domains.audit.types import ExportFormat
from usermgmt.kernel.audit import anchor, base, keys, rows
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

    from usermgmt.kernel.audit.base import Base
    from usermgmt.kernel.context import Context


class End(NamedTuple):
    """Where an export ends: entry ``n`` of the lineage ``lineage``, its hash, and the Merkle root there."""

    n: int
    lineage: int
    hash: str
    root: str


def export(ctx: Context, format_: ExportFormat, out: str) -> Bytes | None:
    """Write the log of this snapshot to the file ``out``, or return its lines for standard output.

    The export is recorded first: where the entry cannot be written, nothing leaves the store. Raises ``FileExists``,
    ``FileMissing``, ``DiskFull``.
    """
    # before the record of the export adds an anchor that is ahead of this snapshot
    kept = _anchors(ctx) if format_ == ExportFormat.NDJSON else []
    begins = base.load(ctx.db, ctx.store.meta.store_id)
    n = ctx.db.execute(sa.select(audit_head.c.seq)).scalar_one() - begins.n
    facts = {"count": n, "format": format_.value}
    if out in ("", "-"):
        record(ctx, E.AUDIT_EXPORT, "store", facts=facts)
        return Bytes(_lines(ctx, format_, kept, begins))
    path = ctx.path(out)
    with whole_file(path) as stream:
        record(ctx, E.AUDIT_EXPORT, "store", facts=facts)
        for line in _lines(ctx, format_, kept, begins):
            stream.write(line)
    ctx.note(_("{path}: {n} entries").format(path=path, n=n))
    return None


def _anchors(ctx: Context) -> list[anchor.Anchor]:
    try:
        return anchor.read_all(ctx.store.anchor_file).anchors
    except anchor.AnchorFault as fault:
        ctx.warn(fault.message)
        return []


def _lines(ctx: Context, format_: ExportFormat, kept: list[anchor.Anchor], begins: Base) -> Iterator[bytes]:
    if format_ != ExportFormat.NDJSON:
        line = {ExportFormat.CEF: siem.cef, ExportFormat.ECS: siem.ecs}[format_](ctx.store.meta.store_id)
        return map(line, rows.entries(ctx.db))
    first = header(ctx, kept, begins, _end(ctx))
    return chain((first,), export_lines(rows.entries(ctx.db), rows.parts(ctx.db)))


def _end(ctx: Context) -> End:
    query = sa.select(audit_head, store_meta.c.lineage).join(store_meta, sa.true())
    head: Any = ctx.db.execute(query).one()
    try:
        root = Frontier.load(head.seq, head.frontier).root().hex()
    except ValueError:
        raise broken(_("the frontier of the log is damaged")) from None
    return End(head.seq, head.lineage, head.hash, root)


def header(
    ctx: Context, kept: list[anchor.Anchor], begins: Base, end: End, archive: dict[str, Any] | None = None
) -> bytes:
    """Return the header of an export from after ``begins`` to ``end``, with the last of the anchors that speaks of it.

    ``archive`` is what one of removed entries says of itself; it is all that is left of them, and so is not written
    without the key that its anchor is checked with. Raises ``KeyFault``.
    """
    store = ctx.store.meta.store_id
    partly = begins.n or archive is not None
    return export_header(
        store=store,
        lineage=end.lineage,
        n=end.n,
        head=end.hash,
        root=end.root,
        at=ctx.now,
        public_key=_public_key(ctx) if archive is None else keys.load_key(ctx.store.key_dir).public.hex(),
        anchor=_vouching(kept, store, begins, end),
        base=begins.header() if partly else None,
        archive=archive,
    )


def _vouching(kept: list[anchor.Anchor], store: str, begins: Base, end: End) -> dict[str, Any] | None:
    """Return the last anchor that speaks of these entries: signed when the log was written, and not now."""
    for one in reversed(kept):
        if (one.store, one.lineage) == (store, end.lineage) and begins.n <= one.n <= end.n:
            return one.as_dict()
    return None


def _public_key(ctx: Context) -> str:
    try:
        return keys.load_public_key(ctx.store.key_dir).hex()
    except UsermgmtError as error:
        ctx.warn(error.message)
        return ""
