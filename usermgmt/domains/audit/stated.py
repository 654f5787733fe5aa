"""``audit verify --state``: folding the entries of every audited row and comparing what comes out with the row."""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.audit.report import Kind
from usermgmt.kernel import registry
from usermgmt.kernel.audit.entries import merge, parsed
from usermgmt.kernel.audit.fold import Fold, rules
from usermgmt.kernel.audit.format import RESTATE_ACTION
from usermgmt.kernel.bulk import among
from usermgmt.kernel.i18n import _
from usermgmt.kernel.selectors import starts_with
from usermgmt.kernel.tables import audit_entry, audit_pii

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import Connection

    from usermgmt.domains.audit.report import Report
    from usermgmt.kernel.audit.fold import Row
    from usermgmt.kernel.registry import Audited

_BATCH = 1000
"""Rows whose entries are folded at once: what is in memory is these, however many there are and however old."""
_STREAM = {"stream_results": True, "yield_per": 2000}


def check(connection: Connection, report: Report) -> int:
    """Report every audited row that its entries do not give, and return how many rows were compared.

    What follows from such rows is held to them.
    """
    compared = 0
    for declaration in registry.declarations():
        for declared in declaration.audited:
            compared += _compare(connection, declared, report)
            _look_for_missing(connection, declared, report)
    for table, dotted in registry.indexes().items():
        holds: Any = registry.resolve(dotted)
        if not holds(connection):
            text = _("the table {table} is not what follows from others: usermgmt doctor --fix makes it again")
            report.add(Kind.STATE, text.format(table=table))
    return compared


def _compare(connection: Connection, declared: Audited, report: Report) -> int:
    resolve: Any = registry.resolve(declared.rows)
    compared = 0
    for batch in batches(resolve(connection)):
        folds = fold(connection, declared.kind, [row.target for row in batch])
        compared += len(batch)
        for row in batch:
            _compare_row(declared.kind, row, folds.get(row.target), report)
    return compared


def _compare_row(kind: str, row: Row, folded: Fold | None, report: Report) -> None:
    if folded is None or not folded.fields:
        text = _("{kind} {name} ({key}): no entry of the audit made this row")
        report.add(Kind.STATE, text.format(kind=kind, name=row.name, key=row.key), target=row.target, name=row.name)
        return
    if fields := folded.differing(row):
        text = _("{kind} {name} ({key}): the row is not what the audit gives: {fields}")
        told = text.format(kind=kind, name=row.name, key=row.key, fields=", ".join(fields))
        report.add(Kind.STATE, told, entry=folded.last, target=row.target, name=row.name, fields=fields)


def _look_for_missing(connection: Connection, declared: Audited, report: Report) -> None:
    """Report the targets whose entries give a row where there is none."""
    target = audit_entry.c.target
    query = sa.select(target).where(starts_with(target, f"{declared.kind}:")).distinct().order_by(target)
    names: Any = registry.resolve(declared.names)
    for batch in batches(connection.execute(query, execution_options=_STREAM).scalars()):
        uids = [one.partition(":")[2] for one in batch]
        there = names(connection, uids)
        gone = [f"{declared.kind}:{uid}" for uid in uids if uid not in there]
        for missing, folded in fold(connection, declared.kind, gone).items() if gone else ():
            if folded.fields:
                text = _("{kind} {name} ({target}): the audit gives a row, up to entry {last}, but there is none")
                name = str(folded.fields.get("username", missing))
                told = text.format(kind=declared.kind, name=name, target=missing, last=folded.last)
                report.add(Kind.STATE, told, entry=folded.last, target=missing, name=name)


def fold(connection: Connection, kind: str, targets: list[str]) -> dict[str, Fold]:
    """Return what the entries of each of ``targets`` give; a target without entries is not in it."""
    query = (
        sa.select(
            audit_entry.c.target,
            audit_entry.c.seq,
            audit_entry.c.at,
            audit_entry.c.actor,
            audit_entry.c.action,
            audit_entry.c.body,
            audit_entry.c.commits,
            audit_pii.c.body,
        )
        .outerjoin(audit_pii, audit_pii.c.seq == audit_entry.c.seq)
        .where(among(connection, audit_entry.c.target, targets), audit_entry.c.outcome == "ok")
        .order_by(audit_entry.c.target, audit_entry.c.seq, audit_pii.c.part)
    )
    found: dict[str, Fold] = {}
    for (target, seq), group in groupby(connection.execute(query, execution_options=_STREAM), lambda row: row[:2]):
        folded = found.get(target)
        if folded is None:
            folded = found[target] = Fold(rules(kind))
        _apply(folded, seq, list(group))
    return found


def _apply(folded: Fold, seq: int, rows: list[Any]) -> None:
    _target, _seq, at, actor, action, body, commits, _part = rows[0]
    content = parsed(body)
    parts = [row[7] for row in rows if row[7] is not None]
    for part in parts:
        merge(content, parsed(part))
    erased = len(parts) < (commits.count(",") + 1 if commits else 0)
    # an entry that was meddled with has been named already; what it says of changes may be anything
    with suppress(TypeError, ValueError, LookupError, AttributeError):
        if action == RESTATE_ACTION:
            folded.restate(seq, content["changes"], content.get("details") or {}, content["version"], erased=erased)
            return
        folded.apply(seq, at, actor, content.get("changes") or {}, erased=erased)


def batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the rows in lists of as many as are folded at once."""
    stream = iter(rows)
    while batch := list(islice(stream, _BATCH)):
        yield batch
