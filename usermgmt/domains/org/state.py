"""A unit as one flat state, as the audit folds it and ``--state`` compares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import units
from usermgmt.domains.user.units import unit, user
from usermgmt.kernel.audit.fold import Row
from usermgmt.kernel.bulk import among
from usermgmt.kernel.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import Connection

State = dict[str, Any]

_above = unit.alias("above")
_STATES = (
    sa.select(
        *(unit.c[name] for name in ("id", "version", "parent_id", "path", "path_norm", "head_user_id")),
        *(unit.c[name] for name in ("uid", "name", "created_at", "updated_at")),
        _above.c.uid.label("parent"),
        user.c.uid.label("head"),
    )
    .outerjoin(_above, _above.c.id == unit.c.parent_id)
    .outerjoin(user, user.c.id == unit.c.head_user_id)
)
FOLDED = ("uid", "parent", "name", "head", "created_at", "updated_at")
"""The fields that folding the audit gives; the path follows from the names, and the numbers are the store's own."""


def load(connection: Connection, unit_id: int) -> State:
    """Return the state of one unit."""
    return dict(connection.execute(_STATES.where(unit.c.id == unit_id)).mappings().one())


def rows(connection: Connection) -> Iterator[Row]:
    """Yield every unit for ``audit verify --state``; a path that does not follow from the names is a field too much."""
    found = {row["id"]: dict(row) for row in connection.execute(_STATES.order_by(unit.c.id)).mappings()}
    paths: dict[int, units.Path | None] = {}
    for id_, row in found.items():
        fields = {name: row[name] for name in FOLDED if row[name] is not None}
        if _path(found, paths, id_) != (row["path"], row["path_norm"]):
            fields["path"] = row["path"]
        yield Row(f"org:{row['uid']}", row["version"], row["path"], f"id:{id_}", fields, {})


def _path(found: Mapping[int, State], paths: dict[int, units.Path | None], id_: int) -> units.Path | None:
    """Return the path that follows from the names, or None where there is none: something else wrote the rows."""
    line = []
    while id_ not in paths and id_ in found:
        # a way up that comes back has no end
        paths[id_] = None
        line.append(id_)
        id_ = found[id_]["parent_id"]
    for one in reversed(line):
        parent = found[one]["parent_id"]
        paths[one] = _joined(paths.get(parent), found[one]["name"], top=parent is None)
    return paths[line[0]] if line else paths.get(id_)


def _joined(above: units.Path | None, name: str, *, top: bool) -> units.Path | None:
    try:
        mine = units.read_name(name)
    except Invalid:
        return None
    return mine if top else above and above.below(mine)


def names(connection: Connection, uids: list[str]) -> dict[str, str]:
    """Return the present paths of the units with these uids."""
    query = sa.select(unit.c.uid, unit.c.path).where(among(connection, unit.c.uid, uids))
    return {row.uid: row.path for row in connection.execute(query)}
