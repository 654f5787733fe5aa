"""A user as one flat state: the row and what hangs on it, as the audit folds it and ``--state`` compares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import units
from usermgmt.domains.user.attributes import number
from usermgmt.domains.user.declares import USER
from usermgmt.domains.user.models import (
    User,
    UserAddress,
    UserAttribute,
    UserExternalId,
    UserFormerName,
    UserNote,
    UserTag,
)
from usermgmt.domains.user.units import member, unit
from usermgmt.kernel.audit import fold
from usermgmt.kernel.audit.fold import Row
from usermgmt.kernel.bulk import among

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.engine import Connection

# The tables behind the models: Core everywhere, rows as columns, no objects in bulk work
user = User.__table__  # type: ignore[attr-defined]
external_id = UserExternalId.__table__  # type: ignore[attr-defined]
address = UserAddress.__table__  # type: ignore[attr-defined]
attribute = UserAttribute.__table__  # type: ignore[attr-defined]
former_name = UserFormerName.__table__  # type: ignore[attr-defined]
tag = UserTag.__table__  # type: ignore[attr-defined]
note = UserNote.__table__  # type: ignore[attr-defined]

COLUMNS = tuple(column.name for column in user.columns)
_BATCH = 1000
_AHEAD = "users read ahead"

State = dict[str, Any]


def load(connection: Connection, ids: list[int]) -> dict[int, State]:
    """Return the states of the users with these ids: every column, and as lists what hangs on them."""
    ahead = connection.info.get(_AHEAD, {})
    if all(user_id in ahead for user_id in ids):
        return {user_id: ahead.pop(user_id) for user_id in ids}
    states = {row.id: dict(row._mapping) for row in connection.execute(sa.select(user).where(user.c.id.in_(ids)))}  # noqa: SLF001 - SQLAlchemy's public name
    attach(connection, states)
    return states


def read_ahead(connection: Connection, ids: list[int]) -> None:
    """Load the states of users who are about to be changed one by one: together they cost half of it.

    Each is given once, to the first ``load``; nobody else can have changed it, since writers are serial.
    """
    connection.info.pop(_AHEAD, None)
    connection.info[_AHEAD] = load(connection, ids)


def attach(connection: Connection, states: dict[int, State]) -> None:
    """Add to each state what hangs on the user."""
    for state in states.values():
        state |= {"tags": [], "external_ids": {}, "addresses": [], "former_names": [], "attributes": {}, "org": None}
    ids = list(states)
    for row in connection.execute(_of(connection, tag, ids).order_by(tag.c.tag)):
        states[row.user_id]["tags"].append(row.tag)
    for row in connection.execute(_of(connection, external_id, ids).order_by(external_id.c.system)):
        states[row.user_id]["external_ids"][row.system] = row.external_id
    for row in connection.execute(_of(connection, address, ids).order_by(address.c.kind, address.c.value)):
        states[row.user_id]["addresses"].append(f"{row.kind}:{row.value}")
    for row in connection.execute(_of(connection, attribute, ids).order_by(attribute.c.name)):
        states[row.user_id]["attributes"][row.name] = row.value
    for row in connection.execute(_former_names(connection, ids)):
        states[row.user_id]["former_names"].append(row.username)
    of_unit = sa.select(member.c.user_id, unit.c.uid).join(unit, unit.c.id == member.c.org_id)
    for row in connection.execute(of_unit.where(among(connection, member.c.user_id, ids))):
        states[row.user_id]["org"] = row.uid


def _of(connection: Connection, table: sa.Table, ids: list[int]) -> sa.Select[Any]:
    """Select the rows of ``table`` that belong to these users."""
    return sa.select(table).where(among(connection, table.c.user_id, ids))


def _former_names(connection: Connection, ids: list[int]) -> sa.Select[Any]:
    # names given up in the same millisecond stand in one order too
    return _of(connection, former_name, ids).order_by(former_name.c.until, former_name.c.username_norm)


def rows(connection: Connection) -> Iterator[Row]:
    """Yield every user for ``audit verify --state``."""
    last = 0
    while True:
        batch = connection.execute(sa.select(user).where(user.c.id > last).order_by(user.c.id).limit(_BATCH)).all()
        if not batch:
            return
        states = {row.id: dict(row._mapping) for row in batch}  # noqa: SLF001 - SQLAlchemy's public name
        attach(connection, states)
        attach_notes(connection, states)
        beside = _beside(connection, list(states))
        for id_, state in states.items():
            target = f"user:{state['uid']}"
            yield Row(target, state["version"], state["username"], f"id:{id_}", folded(state), beside.get(id_, {}))
        last = batch[-1].id


def _beside(connection: Connection, ids: list[int]) -> dict[int, State]:
    """Return what ``details`` folds, as the tables of these users hold it."""
    found: dict[int, State] = {}
    for row in connection.execute(_of(connection, note, ids)):
        found.setdefault(row.user_id, {})[f"note:{row.uid}"] = [row.at, row.actor]
    for row in connection.execute(_of(connection, attribute, ids).where(attribute.c.number.is_not(None))):
        found.setdefault(row.user_id, {})[f"attributes:{row.name}"] = row.number
    for row in connection.execute(_former_names(connection, ids)):
        of_name = [row.username, row.skeleton, row.until]
        found.setdefault(row.user_id, {})[f"former_name:{row.username_norm}"] = of_name
    return found


def details(before: State, changes: dict[str, list[Any]], at: str, actor: str, kept: State) -> None:
    """Fold into ``kept`` what the tables have beside the fields.

    Who wrote a note and when, since when and under which forms a name is a former one, which number an attribute is.
    """
    for name, (_old, new) in changes.items():
        if name.startswith("note:"):
            kept[name] = [at, actor]
            if new is None:
                del kept[name]
    if "attributes" in changes:
        for name in [name for name in kept if name.startswith("attributes:")]:
            del kept[name]
        kept |= {f"attributes:{name}": number(value) for name, value in (changes["attributes"][1] or {}).items()}
    if "username" not in changes or "username_norm" not in before:
        return
    norm = changes.get("username_norm", changes["username"])[1]
    if norm != before["username_norm"]:
        kept.pop(f"former_name:{norm}", None)
        kept[f"former_name:{before['username_norm']}"] = [before["username"], before["skeleton"], at]


def attach_notes(connection: Connection, states: dict[int, State]) -> None:
    """Add to each state the user's notes, each as a field of its own."""
    for row in connection.execute(_of(connection, note, list(states))):
        states[row.user_id][f"note:{row.uid}"] = row.text


def names(connection: Connection, uids: list[str]) -> dict[str, str]:
    """Return the present usernames of the users with these uids."""
    query = sa.select(user.c.uid, user.c.username).where(among(connection, user.c.uid, uids))
    return {row.uid: row.username for row in connection.execute(query)}


def folded(state: State) -> State:
    """Return the fields of ``state`` that folding the audit gives: neither empty, nor the store's own numbers."""
    return {name: value for name, value in state.items() if (value or value == 0) and name not in USER.unfolded}


def changes(before: State, after: State) -> dict[str, list[Any]]:
    """Return the fields that differ, as ``[before, after]``."""
    return {
        name: [before.get(name), value]
        for name, value in after.items()
        if before.get(name) != value and not (before.get(name) is None and value in ([], {}))
    }


def recorded(made: dict[str, list[Any]], before: State, after: State, now: str) -> dict[str, list[Any]]:
    """Return ``made`` as the audit keeps it: without what follows from the rest."""
    return fold.rules("user").recorded(made, before, after, now)


def replace_lists(connection: Connection, user_id: int, wanted: State, names: Iterable[str]) -> None:
    """Make the rows of the lists ``names`` what ``wanted`` says."""
    if "tags" in names:
        _replace(connection, tag, user_id, [{"tag": word} for word in wanted["tags"]])
    if "external_ids" in names:
        rows_of = [{"system": system, "external_id": value} for system, value in wanted["external_ids"].items()]
        _replace(connection, external_id, user_id, rows_of)
    if "attributes" in names:
        rows_of = [{"name": name, "value": v, "number": number(v)} for name, v in wanted["attributes"].items()]
        _replace(connection, attribute, user_id, rows_of)
    if "addresses" in names:
        pairs = (item.partition(":") for item in wanted["addresses"])
        _replace(connection, address, user_id, [{"kind": kind, "value": value} for kind, _colon, value in pairs])
    if "org" in names:
        _replace(connection, member, user_id, [])
        units.assign(connection, [user_id], [wanted["org"]])


def _replace(connection: Connection, table: sa.Table, user_id: int, rows_of: list[dict[str, Any]]) -> None:
    connection.execute(sa.delete(table).where(table.c.user_id == user_id))
    if rows_of:
        connection.execute(sa.insert(table), [{"user_id": user_id, **row} for row in rows_of])
