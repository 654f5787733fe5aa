"""``audit checkpoint``: the present head, signed, in a file that is to be kept elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usermgmt.kernel.audit import keys
from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.errors import FileExists, FileMissing
from usermgmt.kernel.events import E
from usermgmt.kernel.files import whole_file
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.results import CREATED, Bytes, Change

if TYPE_CHECKING:
    from pathlib import Path

    from usermgmt.kernel.context import Context


def checkpoint(ctx: Context, out: str) -> Change | Bytes:
    """Write the signed head to the file ``out`` (``-``: standard output) and leave an entry that names what was signed.

    The head is the one before that entry: a checkpoint that is written and not recorded is still true, an entry for a
    checkpoint that was never written would not be. Raises ``FileExists``, ``FileMissing``, ``DiskFull``, ``KeyFault``.
    """
    log, meta = ctx.log, ctx.store.meta
    root = log.frontier.root().hex()
    signed = keys.load_key(ctx.store.key_dir).sign(
        Anchor(meta.store_id, meta.lineage, log.seq, log.hash, root, ctx.now)
    )
    facts = {"n": signed.n, "hash": signed.hash, "root": signed.root, "key": signed.key}
    if out == "-":
        ctx.audit(E.AUDIT_CHECKPOINT, "store", facts=facts)
        return Bytes(()) if ctx.dry_run else Bytes((signed.line(),))
    path = ctx.path(out)
    if ctx.dry_run:
        _check_place(path)
    else:
        with whole_file(path) as stream:
            stream.write(signed.line())
    ctx.audit(E.AUDIT_CHECKPOINT, "store", facts=facts)
    note = _("entries 1 to {n}; keep it where this host cannot reach it").format(n=signed.n)
    return Change(CREATED, N_("checkpoint"), str(path), {"out": str(path), **signed.as_dict()}, note=note)


def _check_place(path: Path) -> None:
    if path.is_symlink() or path.exists():
        raise FileExists(path=path)
    if not path.parent.is_dir():
        raise FileMissing(path=path.parent)
