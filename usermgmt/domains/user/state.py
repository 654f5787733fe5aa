"""A user as one flat state: the row and what hangs on it, as the audit folds it and ``--state`` compares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user.models import User, UserAddress, UserExternalId, UserFormerName, UserNote, UserTag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import Connection

# The tables behind the models: Core everywhere, rows as columns, no objects in bulk work
user = User.__table__  # type: ignore[attr-defined]
external_id = UserExternalId.__table__  # type: ignore[attr-defined]
address = UserAddress.__table__  # type: ignore[attr-defined]
former_name = UserFormerName.__table__  # type: ignore[attr-defined]
tag = UserTag.__table__  # type: ignore[attr-defined]
note = UserNote.__table__  # type: ignore[attr-defined]

COLUMNS = tuple(column.name for column in user.columns)
_BATCH = 1000
_NOT_FOLDED = ("id", "version")

State = dict[str, Any]


def load(connection: Connection, ids: list[int]) -> dict[int, State]:
    """Return the states of the users with these ids: every column, and tags, external ids, addresses as lists."""
    states = {row.id: dict(row._mapping) for row in connection.execute(sa.select(user).where(user.c.id.in_(ids)))}  # noqa: SLF001 - SQLAlchemy's public name
    attach(connection, states)
    return states


def attach(connection: Connection, states: dict[int, State]) -> None:
    """Add to each state what hangs on the user."""
    for state in states.values():
        state |= {"tags": [], "external_ids": {}, "addresses": [], "former_names": []}
    ids = list(states)
    for row in connection.execute(sa.select(tag).where(tag.c.user_id.in_(ids)).order_by(tag.c.tag)):
        states[row.user_id]["tags"].append(row.tag)
    for row in connection.execute(sa.select(external_id).where(external_id.c.user_id.in_(ids)).order_by(external_id.c.system)):
        states[row.user_id]["external_ids"][row.system] = row.external_id
    query = sa.select(address).where(address.c.user_id.in_(ids)).order_by(address.c.kind, address.c.value)
    for row in connection.execute(query):
        states[row.user_id]["addresses"].append(f"{row.kind}:{row.value}")
    query = sa.select(former_name).where(former_name.c.user_id.in_(ids)).order_by(former_name.c.until)
    for row in connection.execute(query):
        states[row.user_id]["former_names"].append(row.username)


def rows(connection: Connection) -> Iterator[tuple[str, int, str, State]]:
    """Yield every user for ``audit verify --state``: target, version, name, and the folded fields that are not empty."""
    last = 0
    while True:
        batch = connection.execute(sa.select(user).where(user.c.id > last).order_by(user.c.id).limit(_BATCH)).all()
        if not batch:
            return
        states = {row.id: dict(row._mapping) for row in batch}  # noqa: SLF001 - SQLAlchemy's public name
        attach(connection, states)
        attach_notes(connection, states)
        for state in states.values():
            yield f"user:{state['uid']}", state["version"], state["username"], folded(state)
        last = batch[-1].id


def attach_notes(connection: Connection, states: dict[int, State]) -> None:
    query = sa.select(note.c.user_id, note.c.uid, note.c.text).where(note.c.user_id.in_(list(states)))
    for row in connection.execute(query):
        states[row.user_id][f"note:{row.uid}"] = row.text


def names(connection: Connection, uids: list[str]) -> dict[str, str]:
    """Return the present usernames of the users with these uids."""
    query = sa.select(user.c.uid, user.c.username).where(user.c.uid.in_(uids))
    return {row.uid: row.username for row in connection.execute(query)}


def folded(state: State) -> State:
    """Return the fields of ``state`` that folding the audit gives: neither empty, nor the store's own numbers."""
    return {name: value for name, value in state.items() if name not in _NOT_FOLDED and value not in (None, [], {})}


def changes(before: State, after: State) -> dict[str, list[Any]]:
    """Return the fields that differ, as ``[before, after]``."""
    return {
        name: [before.get(name), value]
        for name, value in after.items()
        if before.get(name) != value and not (before.get(name) is None and value in ([], {}))
    }


def recorded(made: dict[str, list[Any]], before: State, after: State, now: str) -> dict[str, list[Any]]:
    """Return ``made`` as the audit keeps it: without what follows from the rest (``Audited.follows``).

    A field that follows another is left out where it equals it, and stands there even unchanged where it does not:
    folding would else take the other's new value.
    """
    kept = {name: pair for name, pair in made.items() if name not in _FOLLOWING and name not in _NOT_FOLDED}
    for name, (trigger, base) in _FOLLOWING.items():
        if trigger in made and after.get(name) != (now if base == "@" else after.get(base)):
            kept[name] = [before.get(name), after.get(name)]
    return kept


_FOLLOWING = {
    "username_norm": ("username", "username"),
    "skeleton": ("username", "username_norm"),
    "email_norm": ("email", "email"),
    "status_at": ("status", "@"),
    "created_at": ("created_at", "@"),
    "updated_at": ("updated_at", "@"),
}
"""Field -> the field whose change sets it, and what it then equals; ``@`` is the time of the entry."""


def replace_lists(connection: Connection, user_id: int, wanted: State, names: Iterable[str]) -> None:
    """Make the rows of the lists ``names`` what ``wanted`` says."""
    if "tags" in names:
        connection.execute(sa.delete(tag).where(tag.c.user_id == user_id))
        for word in wanted["tags"]:
            connection.execute(sa.insert(tag).values(user_id=user_id, tag=word))
    if "external_ids" in names:
        connection.execute(sa.delete(external_id).where(external_id.c.user_id == user_id))
        for system, value in wanted["external_ids"].items():
            connection.execute(sa.insert(external_id).values(user_id=user_id, system=system, external_id=value))
    if "addresses" in names:
        connection.execute(sa.delete(address).where(address.c.user_id == user_id))
        for item in wanted["addresses"]:
            kind, _colon, value = item.partition(":")
            connection.execute(sa.insert(address).values(user_id=user_id, kind=kind, value=value))
