"""The job ``audit.checkpoint``: every day the signed head in a file of its own, or at least an anchor at the head."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from usermgmt.domains.audit.checkpoint import checkpoint as write
from usermgmt.kernel.audit import anchor as anchors
from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.clock import from_text
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.jobs import Step, done
from usermgmt.kernel.results import Change

if TYPE_CHECKING:
    from pathlib import Path

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.jobs import Turn

_LONGEST = 4096


def checkpoint(ctx: Context, turn: Turn) -> Step:
    """Write today's checkpoint into ``audit.checkpoint_dir``; without one make sure that the head is anchored.

    The file is named for the store, its lineage and the day of the slot, and never overwritten: one that is there and
    is a checkpoint of ours was written by a turn that ended before it could say so. Raises as ``audit checkpoint``
    does.
    """
    folder = ctx.settings.path("audit.checkpoint_dir")
    if folder is None:
        return Step(_anchored(ctx, turn))
    day = from_text(turn.due).astimezone(ctx.zone).date().isoformat()
    meta = ctx.store.meta
    path = folder / f"{meta.store_id}-{meta.lineage}-{day}.json"
    if _is_ours(ctx, path):
        return Step()
    written = write(ctx, str(path))
    assert isinstance(written, Change)
    values = {"action": E.AUDIT_CHECKPOINT, "target": "store", "n": written.values["n"]}
    return Step((done(ctx, turn, written.noun, str(path), written.note, **values),))


def _is_ours(ctx: Context, path: Path) -> bool:
    """Tell whether the file is there and holds a checkpoint that this store's key signed for this lineage."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            found = Anchor.parse(stream.read(_LONGEST))
    except (OSError, ValueError):
        return False
    meta = ctx.store.meta
    mine = (found.store, found.lineage) == (meta.store_id, meta.lineage)
    return mine and anchors.verify_signature(found, keys.load_public_key(ctx.store.key_dir))


def _anchored(ctx: Context, turn: Turn) -> tuple[Change, ...]:
    log, meta = ctx.log, ctx.store.meta
    last = anchors.last(ctx.store.anchor_file)
    if last is not None and (last.lineage, last.n, last.hash) == (meta.lineage, log.seq, log.hash):
        return ()
    if not ctx.dry_run:
        log.anchor(ctx.store.key_dir, ctx.store.anchor_file)
    note = _("entries 1 to {n}").format(n=log.seq)
    return (done(ctx, turn, N_("anchor"), str(ctx.store.anchor_file), note, target="store", n=log.seq),)
