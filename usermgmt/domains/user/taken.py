"""What is taken: who holds the names, addresses and ids that some records ask for, looked up for all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from usermgmt.domains.user.state import external_id, former_name, user
from usermgmt.kernel.bulk import among

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import Connection

    from usermgmt.domains.user.state import State


@dataclass(slots=True)
class Wanted:
    """The keys that records ask for, in the form in which they are unique."""

    usernames: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    skeletons: set[str] = field(default_factory=set)
    external_ids: set[tuple[str, str]] = field(default_factory=set)

    def add(self, values: State, external_ids: Iterable[tuple[str, str]] = ()) -> None:
        """Ask for what ``values``, columns of a user, and ``external_ids`` hold."""
        for keys, name in (
            (self.usernames, "username_norm"),
            (self.emails, "email_norm"),
            (self.phones, "phone"),
            (self.uids, "uid"),
            (self.skeletons, "skeleton"),
        ):
            if (value := values.get(name)) is not None:
                keys.add(value)
        self.external_ids.update(external_ids)


class Name(NamedTuple):
    """A username that is held, now or formerly, by the user ``user_id``."""

    user_id: int
    username: str
    norm: str


@dataclass(slots=True)
class Taken:
    """Who holds what, by key; complete for the keys that were looked up, as long as the writers' transaction runs."""

    usernames: dict[str, int] = field(default_factory=dict)
    emails: dict[str, int] = field(default_factory=dict)
    phones: dict[str, int] = field(default_factory=dict)
    uids: dict[str, int] = field(default_factory=dict)
    external_ids: dict[tuple[str, str], int] = field(default_factory=dict)
    former: dict[str, Name] = field(default_factory=dict)
    """Former name -> who gave it up, under the name of today."""
    alike: dict[str, list[Name]] = field(default_factory=dict)
    """Skeleton -> the names that look like it, former ones among them."""

    @classmethod
    def of(cls, db: Connection, wanted: Wanted) -> Taken:
        """Look up who holds what ``wanted`` asks for."""
        made = cls(
            usernames=_holders(db, user.c.username_norm, wanted.usernames),
            emails=_holders(db, user.c.email_norm, wanted.emails),
            phones=_holders(db, user.c.phone, wanted.phones),
            uids=_holders(db, user.c.uid, wanted.uids),
            external_ids=_external_ids(db, wanted.external_ids),
            former={name.norm: name for name in _former(db, wanted.usernames)},
        )
        for skeleton, name in _alike(db, wanted.skeletons):
            made.alike.setdefault(skeleton, []).append(name)
        return made

    def put(self, user_id: int, state: State) -> None:
        """Take note that the user ``user_id`` is now as ``state`` says."""
        for holders, column in self._by_column():
            if state[column] is not None:
                holders[state[column]] = user_id
        for pair in state["external_ids"].items():
            self.external_ids[pair] = user_id
        name = Name(user_id, state["username"], state["username_norm"])
        self.alike.setdefault(state["skeleton"], []).append(name)

    def drop(self, user_id: int, state: State) -> None:
        """Take note that the user ``user_id`` is no longer as ``state`` says."""
        for holders, column in self._by_column():
            holders.pop(state[column], None)
        for pair in state["external_ids"].items():
            self.external_ids.pop(pair, None)
        names = self.alike.get(state["skeleton"], [])
        names[:] = [one for one in names if (one.user_id, one.norm) != (user_id, state["username_norm"])]

    def give_up(self, user_id: int, before: State, after: State) -> None:
        """Take note that the user ``user_id`` gave up the name of ``before`` for that of ``after``."""
        self.former.pop(after["username_norm"], None)
        self.former[before["username_norm"]] = Name(user_id, after["username"], before["username_norm"])

    def _by_column(self) -> tuple[tuple[dict[str, int], str], ...]:
        return (
            (self.usernames, "username_norm"),
            (self.emails, "email_norm"),
            (self.phones, "phone"),
            (self.uids, "uid"),
        )


def _holders(db: Connection, column: Any, values: set[str]) -> dict[str, int]:
    if not values:
        return {}
    query = sa.select(column, user.c.id).where(among(db, column, values))
    return {value: user_id for value, user_id in db.execute(query)}  # noqa: C416 - rows are no pairs to dict()


def _external_ids(db: Connection, pairs: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for system in {system for system, _id in pairs}:
        values = {value for of, value in pairs if of == system}
        query = sa.select(external_id.c.external_id, external_id.c.user_id).where(
            external_id.c.system == system, among(db, external_id.c.external_id, values)
        )
        found |= {(system, value): user_id for value, user_id in db.execute(query)}
    return found


def _former(db: Connection, norms: set[str]) -> Iterator[Name]:
    if norms:
        query = sa.select(former_name.c.user_id, user.c.username, former_name.c.username_norm).join(
            user, user.c.id == former_name.c.user_id
        )
        yield from map(Name._make, db.execute(query.where(among(db, former_name.c.username_norm, norms))))


def _alike(db: Connection, skeletons: set[str]) -> Iterator[tuple[str, Name]]:
    if not skeletons:
        return
    for table, owner in ((user, user.c.id), (former_name, former_name.c.user_id)):
        query = sa.select(table.c.skeleton, owner, table.c.username, table.c.username_norm)
        for skeleton, *name in db.execute(query.where(among(db, table.c.skeleton, skeletons))):
            yield skeleton, Name._make(name)
