"""The archive of entries that a prune removes: an export of them, read again before anything is removed."""

from __future__ import annotations

import hashlib
import mmap
import os
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sa

from usermgmt.domains.audit.errors import ArchiveBroken
from usermgmt.domains.audit.export import header
from usermgmt.kernel.audit import rows
from usermgmt.kernel.audit.base import Base
from usermgmt.kernel.audit.format import (
    ERASURE_ACTION,
    erased_subjects,
    export_lines,
    import_entry,
    import_parts,
)
from usermgmt.kernel.audit.verifier import Kind, Verifier
from usermgmt.kernel.i18n import _
from usermgmt.kernel.tables import audit_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from usermgmt.domains.audit.export import End
    from usermgmt.kernel.audit.anchor import Anchor
    from usermgmt.kernel.context import Context


class Archive(NamedTuple):
    """An archive that holds: its size and SHA-256, and the state of the chain after its last entry."""

    bytes: int
    sha256: str
    base: Base


def write(ctx: Context, stream: BinaryIO, path: Path, kept: list[Anchor], begins: Base, end: End) -> Archive:
    """Write the entries after ``begins`` up to ``end`` to ``stream``, which becomes ``path``, and read them again.

    What is returned was computed from what is in the file. Raises ``ArchiveBroken``, ``OSError``.
    """
    erased = sorted(_erased_later(ctx, end.n))
    first = header(ctx, kept, begins, end, {"erased": erased})
    stream.writelines(chain((first,), export_lines(rows.entries(ctx.db, end.n), rows.parts(ctx.db, end.n))))
    stream.flush()
    os.fsync(stream.fileno())
    with closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as data:
        try:
            base = _read(data, ctx.store.meta.store_id, begins, frozenset(erased))
        except (ValueError, TypeError, LookupError):
            raise ArchiveBroken(path=path, finding=_("a line of it cannot be read")) from None
        except _Damage as damage:
            raise ArchiveBroken(path=path, finding=str(damage)) from None
        stated = base.stated(ctx.store.meta.store_id)
        if (stated.n, stated.hash, stated.root) != (end.n, end.hash, end.root):
            raise ArchiveBroken(path=path, finding=_("it does not end as the entries do"))
        return Archive(len(data), hashlib.sha256(data).hexdigest(), base)


class _Damage(Exception):
    """What does not hold in the file."""


def _erased_later(ctx: Context, last: int) -> set[str]:
    """Return whose parts may be missing up to ``last`` because a later entry says that they were erased."""
    query = sa.select(audit_entry.c.target, audit_entry.c.body).where(
        audit_entry.c.action == ERASURE_ACTION, audit_entry.c.outcome == "ok", audit_entry.c.seq > last
    )
    return {subject for target, body in ctx.db.execute(query) for subject in erased_subjects(target, body)}


def _read(data: mmap.mmap, store_id: str, begins: Base, erased: frozenset[str]) -> Base:
    log = Verifier(store_id, base=begins, archive=True)
    entries = (import_entry(line) for line in _lines(data))
    parts = (part for line in _lines(data) for part in import_parts(line))
    for found in log.run(entries, parts):
        if found.kind != Kind.MISSING or found.facts["subject"] not in erased:
            raise _Damage(_("entry {n}: {detail}").format(n=found.seq, detail=found.detail))
    return Base(log.n, log.head_hash, log.tree.dump())


def _lines(data: mmap.mmap) -> Iterator[dict[str, Any]]:
    """Yield the entries, which stand after the header; the file is too large to be in memory."""
    at = data.find(b"\n") + 1
    while (end := data.find(b"\n", at)) >= 0:
        yield orjson.loads(data[at:end])
        at = end + 1
