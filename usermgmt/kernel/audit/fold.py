"""What an audited row is according to its entries: folding them, and what an entry may leave out because it follows.

``recorded`` and ``Fold`` read the same declaration (``registry.Audited.follows``), so that what one leaves out is what
the other puts back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from usermgmt.kernel import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from usermgmt.kernel.registry import Audited

State = dict[str, Any]
Changes = dict[str, list[Any]]

_CREATED, _CHANGED, _FIELD = "@created", "@changed", "@field:"


class Row(NamedTuple):
    """An audited row as it stands in the store: ``name`` and ``key`` are what people call it (``alice``, ``id:5``).

    ``fields`` hold what is not empty; ``details`` what its tables keep beside the fields, as ``Audited.details`` folds
    it.
    """

    target: str
    version: int
    name: str
    key: str
    fields: State
    details: State


class _Follower(NamedTuple):
    """``name`` is set when ``trigger`` is: to ``base``'s value, or to the time of the entry where ``base`` is empty."""

    name: str
    trigger: str
    base: str


class Rules:
    """What the declaration of one kind of audited row means for folding."""

    def __init__(self, declared: Audited) -> None:
        self.personal = declared.personal
        self.unfolded = declared.unfolded
        self.details: Any = registry.resolve(declared.details) if declared.details else None
        self.followers = tuple(_follower(declared.follows, name) for name in declared.follows)
        self._follow = frozenset(declared.follows)
        self._derived = frozenset(
            one.name for one in self.followers if one.trigger == _CHANGED or one.trigger in self.personal
        )

    def recorded(self, made: Mapping[str, list[Any]], before: State, after: State, at: str) -> Changes:
        """Return of the changes ``made`` between two states those that an entry at ``at`` must hold.

        A field that follows another is left out where it is what following gives, and stands there even unchanged where
        it is not.
        """
        kept = {name: pair for name, pair in made.items() if name not in self._follow and name not in self.unfolded}
        for name, trigger, base in self.followers:
            value = after.get(name)
            if trigger in made or trigger == _CHANGED or (trigger == _CREATED and not before):
                if value != (after.get(base) if base else at):
                    kept[name] = [before.get(name), value]
            elif name in made:
                kept[name] = [before.get(name), value]
        return kept

    def lost(self, state: State) -> set[str]:
        """Return the fields that nobody knows any more after an entry whose personal part was erased."""
        return {name for name in state if name.partition(":")[0] in self.personal} | self.personal | self._derived


def _follower(follows: Mapping[str, str], name: str) -> _Follower:
    lead = follows[name]
    if lead.startswith(_FIELD):
        return _Follower(name, lead[len(_FIELD) :], "")
    if lead in (_CREATED, _CHANGED):
        return _Follower(name, lead, "")
    trigger = lead
    while trigger in follows:
        trigger = follows[trigger]
    return _Follower(name, trigger, lead)


@cache
def rules(kind: str) -> Rules:
    """Return the rules of the audited rows ``kind``."""
    declared = registry.audited(kind)
    assert declared is not None, kind
    return Rules(declared)


@dataclass(slots=True)
class Fold:
    """The row that the entries of one target give, as far as they were applied; without one, ``fields`` is empty.

    ``unknown`` are fields whose values stood in personal parts that are gone; ``version`` counts the entries with
    changes, and is None where one cannot tell.
    """

    rules: Rules
    fields: State = field(default_factory=dict)
    details: State = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    version: int | None = 0
    last: int = 0

    def apply(self, seq: int, at: str, actor: str, changes: Changes, *, erased: bool = False) -> None:
        """Apply one entry; ``erased`` says that a personal part of it is gone."""
        if erased:
            self.unknown |= self.rules.lost(self.fields)
            for name in self.unknown:
                self.fields.pop(name, None)
        if not changes:
            self.version = None if erased else self.version
            return
        self.last = seq
        if self.version is not None:
            self.version += 1
        if self.rules.details is not None:
            self.rules.details(self.fields, changes, at, actor, self.details)
        self._take(changes, at)

    def restate(self, seq: int, changes: Changes, details: State, version: int, *, erased: bool = False) -> None:
        """Begin anew with an entry that says all of the row; ``erased`` says that its personal part is gone."""
        self.last, self.version = seq, version
        self.fields = {name: pair[1] for name, pair in changes.items()}
        self.details = dict(details)
        self.unknown = self.rules.lost({}) - self.fields.keys() if erased else set()

    def _take(self, changes: Changes, at: str) -> None:
        new = not self.fields
        for name, pair in changes.items():
            self._set(name, pair[1])
        if not self.fields:
            # the entry of a removal clears every field
            self.fields, self.details, self.unknown = {}, {}, set()
            self.version = 0
            return
        for name, trigger, base in self.rules.followers:
            if name in changes:
                continue
            if trigger == _CHANGED or trigger in changes or (new and trigger == _CREATED):
                self._set(name, self.fields.get(base) if base else at)
                if base in self.unknown:
                    self.unknown.add(name)

    def _set(self, name: str, value: Any) -> None:
        self.unknown.discard(name)
        # None and what is empty mean the same; a zero would not
        if value or value == 0:
            self.fields[name] = value
        else:
            self.fields.pop(name, None)

    def differing(self, row: Row) -> list[str]:
        """Return the names of what differs between this and the row in the store, ``version`` among them."""
        names = []
        if self.fields != row.fields:
            either = sorted(self.fields.keys() | row.fields.keys())
            names = [name for name in either if self.fields.get(name) != row.fields.get(name)]
            names = [name for name in names if not self._is_unknown(name)]
        if self.version is not None and self.version != row.version:
            names.append("version")
        for name, value in self.details.items():
            if name not in names and row.details.get(name) != value and not self._is_unknown(name):
                names.append(name)
        return names

    def _is_unknown(self, name: str) -> bool:
        return name in self.unknown or (":" in name and name.partition(":")[0] in self.unknown)
