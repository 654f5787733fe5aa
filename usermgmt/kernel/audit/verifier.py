"""The verification kernel: reads the whole log once, in constant memory, and names each entry that does not hold."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

from usermgmt.kernel.audit import rehash
from usermgmt.kernel.audit.base import Base, beginning
from usermgmt.kernel.audit.format import (
    ENTRY_HEAD,
    ENTRY_PREFIX,
    ERASURE_ACTION,
    NO_PART,
    PRUNE_ACTION,
    EntryRow,
    PartRow,
    Pruned,
    entry_head,
    erased_subjects,
    part_subject,
    pruned_by,
)
from usermgmt.kernel.audit.frontier import Frontier
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.text import neutral

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

_BLOCK = 4096
_TELLING = frozenset({ERASURE_ACTION, PRUNE_ACTION})
"""Entries that say what else the log may lack."""

FIELDS = N_("its fields do not give its hash: it was altered, or the entry before it was altered and hashed again")
STORED = N_("its hash was altered; its fields are those that the next entry stands on")
EITHER = N_("its fields do not give its hash; which of them was altered cannot be told")
GAP = N_("entries {first} to {last} are missing, and without them entry {next} cannot be checked")
SHORT = N_("entries {first} to {last} are missing: the log was cut off")
LONG = N_("the log goes on after entry {n}, where its head ends")
HEAD = N_("the head of the log states another hash")
UNSTATED = N_("entries 1 to {n} are missing, and no entry says that they were removed to an archive")
MISSTATED = N_("entry {entry} says that the entries up to {n} were removed, and where the log begins is another place")
ORDER = N_("entry {found} stands here")
COMMIT = N_("its personal part {part} was altered")
MISSING = N_("its personal part {part} about {subject} is missing, and no later erasure names it")
EXTRA = N_("it has a personal part {part} that it does not commit to")
ORPHAN = N_("there is a personal part {part} of this entry, but no such entry")
ORPHANS = N_("there are {count} personal parts from this entry on, but no such entries")


class Kind(StrEnum):
    """What is wrong, for machine readers."""

    HASH = "hash"
    GAP = "gap"
    ORDER = "order"
    COMMIT = "commit"
    MISSING = "part-missing"
    EXTRA = "part-extra"
    HEAD = "head"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold, and the entry it is named by."""

    seq: int
    kind: Kind
    template: str
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """What is wrong, in the language of this invocation, safe to print."""
        return _(self.template).format(**{name: neutral(str(value)) for name, value in self.facts.items()})


@dataclass(frozen=True, slots=True)
class Mark:
    """The log at an asked size, to be compared with an anchor or a checkpoint; ``root`` is "" after a gap."""

    hash: str
    root: str


@dataclass(slots=True)
class _Suspect:
    """An entry whose hash does not fit; the entry after it tells which of the two readings is the true one."""

    seq: int
    stored: bytes | None
    made: bytes | None


class Verifier:
    """Reads the rows of ``store_id``'s log and yields what does not hold.

    ``marks`` are sizes at which hash and root are wanted; ``head`` is what the head row states, ``(seq, hash)``. After
    ``run`` is exhausted, ``n`` is the last entry's number, ``head_hash`` and ``root`` the hash and the Merkle root of
    the log as read (hex; the root is "" after a gap), ``tree`` its frontier, ``redacted`` the parts lawfully erased.
    An altered entry is named once: its leaf and its successor are judged by the reading that its successor confirms.

    Entries up to ``base`` were removed to an archive, which is a problem unless the last prune on the log names exactly
    that; an ``archive`` ends before its prune, and so is not asked for it.
    """

    def __init__(
        self,
        store_id: str,
        *,
        base: Base | None = None,
        marks: Iterable[int] = (),
        head: tuple[int, str] | None = None,
        archive: bool = False,
    ) -> None:
        """Begin after ``base``, before entry 1 where none is given."""
        self.base = base or beginning(store_id)
        self._beginning, self._begun = beginning(store_id).stated(store_id), self.base.stated(store_id)
        self._archive = archive
        self._pruned: tuple[int, Pruned | None] | None = None
        tree = self.base.tree()
        self.n = self.base.n
        self.redacted = 0
        self.marks: dict[int, Mark] = {}
        self.tree = tree or Frontier()
        self._asked = sorted(set(marks), reverse=True)
        self._head = head
        self._prev = rehash.raw(self.base.hash)
        self._whole = tree is not None
        self._suspect: _Suspect | None = None
        self._lost: dict[str, array[int]] = {}
        self._mine: list[PartRow] = []
        self._mark()

    @property
    def head_hash(self) -> str:
        """The hash of the last entry, "" where it is not to be known."""
        return self._prev.hex() if self._prev is not None else ""

    @property
    def root(self) -> str:
        """The Merkle root of the entries read, "" where some are missing."""
        return self.tree.root().hex() if self._whole else ""

    def run(self, entries: Iterable[EntryRow], parts: Iterable[PartRow]) -> Iterator[Finding]:
        """Yield the findings of the rows, which come in the order of ``seq`` and of ``(seq, part)``."""
        rows, self._parts = iter(entries), iter(parts)
        self._part = next(self._parts, NO_PART)
        while True:
            if self._suspect is None and self._prev is not None:
                start, span = self.n, self._span()
                odd = self._sweep(islice(rows, span))
                if odd is None and self.n == start + span:
                    continue
            else:
                odd = next(rows, None)
            if odd is None:
                break
            yield from self._judge(odd)
        yield from self._finish()

    def _span(self) -> int:
        return min(_BLOCK, self._asked[-1] - self.n) if self._asked else _BLOCK

    def _sweep(self, rows: Iterable[EntryRow]) -> EntryRow | None:
        """Pass over entries that hold; return the first one that does not, or that needs a closer look."""
        assert self._prev is not None
        prev, part, parts, pack = self._prev, self._part, self._parts, ENTRY_HEAD.pack
        expected, mine, leaves = self.n + 1, self._mine, []
        for row in rows:
            mine = []
            try:
                seq, at, change_id, actor, via, action, target, outcome, body, commits, stored = row
                if seq != expected:
                    break
                number = str(seq)
                text = f"{number}{at}{change_id}{actor}{via}{action}{target}{outcome}{body}{commits}"
                data = text.encode()
                head = (
                    pack(
                        ENTRY_PREFIX,
                        len(number),
                        len(at),
                        len(change_id),
                        len(actor),
                        len(via),
                        len(action),
                        len(target),
                        len(outcome),
                        len(body),
                        len(commits),
                    )
                    if len(data) == len(text)
                    else entry_head(seq, row[1:10])
                )
                digest = sha256(head + data + prev).digest()
                if digest.hex() != stored:
                    break
                if part[0] == seq:
                    while part[0] == seq:
                        mine.append(part)
                        part = next(parts, NO_PART)
                    if rehash.commits(mine) != commits:
                        break
                elif commits:
                    break
            except (TypeError, ValueError, AttributeError):
                # a value of another type, not hexadecimal, or without bytes: it did not come from this program
                break
            if action in _TELLING:
                self._heed(row)
            prev = digest
            leaves.append(digest)
            expected += 1
        else:
            row = None
        self._prev, self._part, self._mine, self.n = prev, part, mine, expected - 1
        self.tree.extend(leaves)
        self._mark()
        return row

    def _judge(self, row: EntryRow) -> Iterator[Finding]:
        seq, expected = row[0], self.n + 1 + (self._suspect is not None)
        mine, self._mine = self._mine, []
        if seq < expected:
            yield Finding(expected, Kind.ORDER, ORDER, {"found": seq})
            return
        if seq > expected:
            yield from self._gap(expected, seq)
        fits = yield from self._link(row)
        yield from self._orphans(seq)
        while self._part[0] == seq:
            mine.append(self._next_part())
        if fits:
            # before its own parts: an erasure excuses what came earlier
            if row[5] in _TELLING:
                self._heed(row)
            yield from self._check_parts(row, mine)

    def _gap(self, first: int, seq: int) -> Iterator[Finding]:
        yield from self._settle(EITHER)
        yield Finding(first, Kind.GAP, GAP, {"first": first, "last": seq - 1, "next": seq})
        yield from self._orphans(first)
        # their parts are left over because of the gap, which is named already
        while self._part[0] < seq:
            self._next_part()
        self._prev, self._whole, self.n = None, False, seq - 1

    def _link(self, row: EntryRow) -> Generator[Finding, None, bool]:
        """Fit an entry to the one before, and tell by it what is wrong with that one, if it was suspect."""
        seq, stored = row[0], rehash.raw(row[10])
        if self._suspect is None and self._prev is None:
            yield from self._begin_again(seq, stored)
            return stored is not None
        made = None
        for prev, verdict in self._readings():
            digest = rehash.digest(prev, row)
            if digest is not None and digest == stored:
                yield from self._settle(verdict)
                self._accept(seq, digest)
                return True
            made = made or digest
        yield from self._settle(EITHER)
        self._suspect = _Suspect(seq, stored, made)
        return False

    def _begin_again(self, seq: int, stored: bytes | None) -> Iterator[Finding]:
        # nobody knows the hash before this entry: take its own, which the next entry confirms or not
        self._accept(seq, stored)
        if stored is None:
            yield Finding(seq, Kind.HASH, EITHER)

    def _readings(self) -> list[tuple[bytes, str]]:
        if self._suspect is None:
            readings = [(self._prev, EITHER)]
        else:
            readings = [(self._suspect.stored, FIELDS), (self._suspect.made, STORED)]
        return [(prev, verdict) for prev, verdict in readings if prev is not None]

    def _settle(self, verdict: str) -> Iterator[Finding]:
        if self._suspect is None:
            return
        suspect, self._suspect = self._suspect, None
        self._accept(suspect.seq, suspect.made if verdict == STORED else suspect.stored or suspect.made)
        yield Finding(suspect.seq, Kind.HASH, verdict)

    def _accept(self, seq: int, leaf: bytes | None) -> None:
        self.n, self._prev = seq, leaf
        if leaf is None:
            self._whole = False
        else:
            self.tree.append(leaf)
        self._mark()

    def _mark(self) -> None:
        if self._asked and self._asked[-1] <= self.n:
            while self._asked and self._asked[-1] <= self.n:
                size = self._asked.pop()
            if size == self.n:
                self.marks[size] = Mark(self.head_hash, self.root)

    def _next_part(self) -> PartRow:
        part, self._part = self._part, next(self._parts, NO_PART)
        return part

    def _orphans(self, seq: int) -> Iterator[Finding]:
        while self._part[0] < seq:
            part = self._next_part()
            yield Finding(part[0], Kind.EXTRA, ORPHAN, {"part": part[1]})

    def _check_parts(self, row: EntryRow, mine: list[PartRow]) -> Iterator[Finding]:
        seq, stated = row[0], row[9].split(",") if row[9] else []
        there: set[int] = set()
        for found in mine:
            part = found[1]
            if not 0 <= part < len(stated) or part in there:
                yield Finding(seq, Kind.EXTRA, EXTRA, {"part": part})
            elif rehash.commitment(found) != stated[part]:
                yield Finding(seq, Kind.COMMIT, COMMIT, {"part": part})
            there.add(part)
        for part in set(range(len(stated))) - there:
            self._lost.setdefault(part_subject(part, row[6], row[8]), array("q")).extend((seq, part))

    def _heed(self, row: EntryRow) -> None:
        # a refused or failed erasure is on the log too, and excuses nothing
        if row[7] != "ok":
            return
        if row[5] == PRUNE_ACTION:
            self._pruned = row[0], pruned_by(row[8])
        else:
            for subject in erased_subjects(row[6], row[8]):
                self.redacted += len(self._lost.pop(subject, ())) // 2

    def _finish(self) -> Iterator[Finding]:
        yield from self._settle(self._last_verdict())
        yield from self._check_head()
        yield from self._check_base()
        if self._part is not NO_PART:
            first, count = self._part[0], 1 + sum(1 for _part in self._parts)
            yield Finding(first, Kind.EXTRA, ORPHANS, {"count": count})
        lost = [(*place, subject) for subject, flat in self._lost.items() for place in _pairs(flat)]
        for seq, part, subject in sorted(lost):
            yield Finding(seq, Kind.MISSING, MISSING, {"part": part, "subject": subject})

    def _last_verdict(self) -> str:
        """Tell what is wrong with a suspect last entry: the head row stands in for the entry after it."""
        if self._suspect is None or self._head is None or self._head[0] != self._suspect.seq:
            return EITHER
        known = rehash.raw(self._head[1])
        if known is None or known not in (self._suspect.stored, self._suspect.made):
            return EITHER
        return FIELDS if known == self._suspect.stored else STORED

    def _check_head(self) -> Iterator[Finding]:
        if self._head is None:
            return
        seq, stated = self._head
        if self.n < seq:
            yield Finding(self.n + 1, Kind.GAP, SHORT, {"first": self.n + 1, "last": seq})
            while self._part[0] <= seq:
                self._next_part()
        elif self.n > seq:
            yield Finding(seq + 1, Kind.HEAD, LONG, {"n": seq})
        elif stated != self.head_hash:
            yield Finding(seq, Kind.HEAD, HEAD)

    def _check_base(self) -> Iterator[Finding]:
        seq, stated = self._pruned or (0, self._beginning)
        if self._archive or stated == self._begun:
            return
        if self._pruned is None:
            yield Finding(self.base.n + 1, Kind.BASE, UNSTATED, {"n": self.base.n})
        else:
            n = stated.n if stated is not None else "?"
            yield Finding(self.base.n + 1, Kind.BASE, MISSTATED, {"entry": seq, "n": n})


def _pairs(flat: array[int]) -> Iterator[tuple[int, int]]:
    values = iter(flat)
    return zip(values, values, strict=True)
