"""The audit log of a running transaction: entries are gathered, hashed and written together with the change."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sa

from usermgmt.kernel import bulk, registry
from usermgmt.kernel.audit.format import SALT_BYTES, Facts, chain, commitments, genesis
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.clock import from_text, to_text
from usermgmt.kernel.errors import IntegrityBroken
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.tables import audit_denial, audit_entry, audit_head, audit_pii

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.errors import UsermgmtError
    from usermgmt.kernel.store import Meta

DENIAL_WINDOW = 60.0
"""Seconds in which equal denials are counted instead of written one by one."""


def canonical(value: Any) -> str:
    """Return the canonical JSON text that the log keeps: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


class Draft(NamedTuple):
    """An entry before it is hashed; ``personal`` is the text of its committed part, empty where it has none."""

    action: str
    target: str
    outcome: str
    body: str
    personal: str


@dataclass(slots=True)
class Log:
    """Appends to the chain of one store inside one transaction; ``close`` writes what was gathered."""

    connection: Connection
    meta: Meta
    ctx: Context
    appended: int = 0
    seq: int = 0
    hash: str = ""
    frontier: Frontier = field(default_factory=Frontier)
    _drafts: list[Draft] = field(default_factory=list)

    def __post_init__(self) -> None:
        last = audit_entry.c.hash.label("last")
        query = sa.select(audit_head, last).outerjoin(audit_entry, audit_entry.c.seq == audit_head.c.seq)
        head = self.connection.execute(query).one_or_none()
        if head is None:
            raise broken(_("the head of the log is missing"))
        # what is appended to a log that was meddled with could never be verified
        if head.seq and head.last != head.hash:
            raise broken(_("the head of the log does not state the hash of entry {n}").format(n=head.seq))
        self.seq, self.hash = head.seq, head.hash
        try:
            self.frontier = Frontier.load(head.seq, head.frontier)
        except ValueError:
            raise broken(_("the frontier of the log is damaged")) from None

    def append(
        self,
        action: str,
        target: str,
        *,
        changes: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        outcome: str = "ok",
        error: str = "",
    ) -> int:
        """Append an entry and return its ``seq``.

        ``changes`` maps fields to ``[before, after]``; those that the registry calls personal, the invocation's reason
        and ``error`` go into the committed part. ``facts`` are other things to keep, and hold nothing personal.
        """
        body, personal = split(target, changes or {})
        content: dict[str, Any] = {**(facts or {})}
        if body:
            content["changes"] = body
        part: dict[str, Any] = {"changes": personal} if personal else {}
        if self.ctx.reason:
            part["reason"] = self.ctx.reason
        if error:
            part["error"] = error
        return self.extend([Draft(str(action), target, outcome, canonical(content), canonical(part) if part else "")])

    def extend(self, drafts: Iterable[Draft]) -> int:
        """Append many entries whose texts are made already; return the ``seq`` of the last one."""
        before = len(self._drafts)
        self._drafts.extend(drafts)
        self.appended += len(self._drafts) - before
        return self.seq + len(self._drafts)

    def mark(self) -> int:
        """Return how many entries are gathered, for ``rollback_to``."""
        return len(self._drafts)

    def rollback_to(self, mark: int) -> None:
        """Forget the entries gathered since ``mark``: the savepoint they belong to was rolled back."""
        self.appended -= len(self._drafts) - mark
        del self._drafts[mark:]

    def append_denial(self, action: str, target: str, error: UsermgmtError) -> None:
        """Leave a ``denied`` entry, or count it where an equal one is less than a minute old."""
        name = self.ctx.actor.name
        print_ = sha256(canonical([name, action, target, error.code]).encode()).hexdigest()
        self._flush_denials()
        row = audit_denial.c.fingerprint == print_
        if self.connection.execute(sa.update(audit_denial).where(row).values(count=audit_denial.c.count + 1)).rowcount:
            return
        self.connection.execute(
            sa.insert(audit_denial).values(
                fingerprint=print_, since=self.ctx.now, count=0, actor=name, action=action, target=target
            )
        )
        self.append(action, target, outcome="denied", facts={"code": error.code}, error=error.message)

    def _flush_denials(self) -> None:
        """Write one entry for the denials that were counted in a minute that is over."""
        # a clock that was set back must not make a minute last for days
        since = audit_denial.c.since
        over = sa.or_(since <= to_text(_earlier(self.ctx.now)), since > self.ctx.now)
        rows = self.connection.execute(sa.select(audit_denial).where(over)).mappings().all()
        for row in rows:
            if row["count"]:
                facts = {name: row[name] for name in ("action", "actor", "count", "since")}
                self.extend([Draft(E.DENIALS, row["target"], "denied", canonical(facts), "")])
        if rows:
            self.connection.execute(sa.delete(audit_denial).where(over))

    def close(self) -> None:
        """Hash and write what was gathered, and move the head."""
        if not self._drafts:
            return
        self._flush_denials()
        drafts, self._drafts = self._drafts, []
        first = self.seq + 1
        parts, commits = self._parts(drafts, first)
        rows = self._facts(drafts, commits)
        hashes = chain(bytes.fromhex(self.hash), first, rows)
        self.frontier.extend(hashes)
        numbered = enumerate(zip(rows, hashes, strict=True), first)
        insert(self.connection, audit_entry, [(seq, *row, digest.hex()) for seq, (row, digest) in numbered])
        bulk.insert(self.connection, audit_pii, parts)
        self.seq, self.hash = self.seq + len(rows), hashes[-1].hex()
        self.connection.execute(
            sa.update(audit_head).values(seq=self.seq, hash=self.hash, frontier=self.frontier.dump())
        )

    def _parts(self, drafts: list[Draft], first: int) -> tuple[dict[str, list[Any]], list[str]]:
        """Return the personal parts as columns of their table, and for each entry what it says about its own."""
        kept = [(i, draft.target, draft.personal) for i, draft in enumerate(drafts) if draft.personal]
        noise = self.ctx.random.bytes(SALT_BYTES * len(kept))
        salts = [noise[at : at + SALT_BYTES] for at in range(0, len(noise), SALT_BYTES)]
        subjects, texts = [target for _i, target, _text in kept], [text for _i, _target, text in kept]
        commits = [""] * len(drafts)
        for (i, _target, _text), made in zip(kept, commitments(zip(salts, subjects, texts, strict=True)), strict=True):
            commits[i] = made
        columns: dict[str, list[Any]] = {
            "seq": [first + i for i, _target, _text in kept],
            "part": [0] * len(kept),
            "subject": subjects,
            "salt": [salt.hex() for salt in salts],
            "body": texts,
        }
        return columns, commits

    def _facts(self, drafts: list[Draft], commits: list[str]) -> list[Facts]:
        at, change, actor = self.ctx.now, self.ctx.change_id, self.ctx.actor.name
        via = self.ctx.actor.trace(self.ctx.command)
        return [
            (at, change, actor, via, action, target, outcome, body, commit)
            for (action, target, outcome, body, _personal), commit in zip(drafts, commits, strict=True)
        ]

    def anchor(self, key_dir: Path, anchor_file: Path) -> None:
        """Append the head, signed, to the anchors; raises ``AnchorFault`` and what ``load_key`` raises."""
        from usermgmt.kernel.audit import anchor, keys

        head = anchor.Anchor(
            self.meta.store_id, self.meta.lineage, self.seq, self.hash, self.frontier.root().hex(), self.ctx.now
        )
        anchor.append(anchor_file, head, keys.load_key(key_dir).sign)


def broken(problem: str) -> IntegrityBroken:
    """Return the error for a log that does not hold together."""
    return IntegrityBroken(problem=problem, hint=N_("usermgmt audit verify tells what is wrong"))


def _earlier(now: str) -> Any:
    from datetime import timedelta

    return from_text(now) - timedelta(seconds=DENIAL_WINDOW)


def split(target: str, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the changes of ``target`` into those kept in the entry and the personal ones."""
    declared = registry.audited(target.partition(":")[0])
    if declared is None:
        return dict(changes), {}
    body: dict[str, Any] = {}
    personal: dict[str, Any] = {}
    for name, pair in changes.items():
        (personal if name.partition(":")[0] in declared.personal else body)[name] = pair
    return body, personal


def first_head(store_id: str) -> dict[str, Any]:
    """Return the head row of a log without entries."""
    return {"id": 1, "seq": 0, "hash": genesis(store_id).hex(), "frontier": ""}


def insert(connection: Connection, table: sa.TableClause, rows: list[tuple[Any, ...]]) -> None:
    """Insert many rows given as tuples in the order of the table's columns, as the driver takes them."""
    bulk.insert_rows(connection, table, [column.name for column in table.columns], rows)
