"""The rules of units and every write to them: each leaves its entry in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.org import queries, state
from usermgmt.domains.org.errors import NameTaken, ParentNotFound, TooManyUnits, UnitCycle, UnitExists, UnitInUse
from usermgmt.domains.user import lookup, standing, units
from usermgmt.domains.user.types import UNITS_MAX, IfExists
from usermgmt.domains.user.units import Path, member, unit, user
from usermgmt.kernel import bulk
from usermgmt.kernel.audit import fold
from usermgmt.kernel.errors import StaleVersion
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _, ngettext
from usermgmt.kernel.results import CREATED, REMOVED, UNCHANGED, UPDATED, Change

if TYPE_CHECKING:
    from usermgmt.domains.org.state import State
    from usermgmt.kernel.context import Context

TOP = units.SEPARATOR
"""The word for what is above every unit."""


# -- create --------------------------------------------------------------------------------------------------------


def add(
    ctx: Context, word: str, head: str | None, *, parents: bool = False, if_exists: IfExists = IfExists.FAIL
) -> Change:
    """Create a unit at a path; ``parents`` makes those above it too.

    Raises ``UnitExists``, ``ParentNotFound``, ``Invalid``, ``UserNotFound``.
    """
    path = units.read_path(word)
    found = _at(ctx, path.norm)
    if found is None:
        leader = _head(ctx, head)
        return _result(ctx, CREATED, _create(ctx, path, leader, parents=parents))
    if if_exists == IfExists.UPDATE:
        return change(ctx, found.id, head=head)
    if if_exists == IfExists.SKIP:
        return _result(ctx, UNCHANGED, state.load(ctx.db, found.id))
    raise UnitExists(path=found.path)


def _at(ctx: Context, norm: str) -> Any:
    return ctx.db.execute(sa.select(unit).where(unit.c.path_norm == norm)).one_or_none()


def _head(ctx: Context, word: str | None) -> int | None:
    return lookup.find(ctx, word) if word else None


def _create(ctx: Context, path: Path, head: int | None, *, parents: bool) -> State:
    above, _slash, last = path.shown.rpartition(units.SEPARATOR)
    name, parent = units.read_name(last), None
    if above:
        wanted = units.read_path(above)
        parent = _at(ctx, wanted.norm)
        if parent is None and not parents:
            raise ParentNotFound(name=wanted.shown, unit=path.shown)
        parent_id = parent.id if parent is not None else _create(ctx, wanted, None, parents=True)["id"]
        parent = state.load(ctx.db, parent_id)
    _check_room(ctx)
    return _insert(ctx, name, parent, head)


def _check_room(ctx: Context) -> None:
    if ctx.db.execute(sa.select(sa.func.count()).select_from(unit)).scalar_one() >= UNITS_MAX:
        raise TooManyUnits(limit=UNITS_MAX)


def _insert(ctx: Context, name: Path, parent: State | None, head: int | None) -> State:
    path = _below(parent, name)
    (unit_id,) = bulk.next_ids(ctx.db, unit, 1)
    row = {
        "id": unit_id,
        "uid": ctx.random.uuid7(ctx.clock.now()),
        "version": 1,
        "parent_id": parent and parent["id"],
        "name": name.shown,
        "path": path.shown,
        "path_norm": path.norm,
        "head_user_id": head,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    bulk.insert(ctx.db, unit, {column: [value] for column, value in row.items()})
    after = state.load(ctx.db, unit_id)
    _record(ctx, E.ORG_ADD, {}, after)
    return after


def _below(parent: State | None, name: Path) -> Path:
    path = Path(parent["path"], parent["path_norm"]).below(name) if parent is not None else name
    units.check_path(path)
    return path


# -- change --------------------------------------------------------------------------------------------------------


def change(ctx: Context, unit_id: int, *, name: str | None = None, head: str | None = None) -> Change:
    """Rename a unit, or give it another head, an empty text nobody; raises ``NameTaken``, ``Invalid``."""
    before = _loaded(ctx, unit_id)
    columns: dict[str, Any] = {}
    if name is not None:
        columns["name"] = units.read_name(name).shown
    if head is not None:
        columns["head_user_id"] = _head(ctx, head)
    return _change(ctx, before, columns, E.ORG_SET)


def move(ctx: Context, unit_id: int, word: str) -> Change:
    """Move a unit with all below it below another one, or with ``TOP`` out of all; raises ``UnitCycle``, ``NameTaken``.

    What is ``unchanged`` stands there already.
    """
    before = _loaded(ctx, unit_id)
    parent = None if word.strip() == TOP else units.find(ctx, word)
    if parent is not None and before["path_norm"] in units.upwards(parent.path_norm):
        raise UnitCycle(path=before["path"], parent=parent.path)
    return _change(ctx, before, {"parent_id": parent and parent.id}, E.ORG_MOVE)


def _loaded(ctx: Context, unit_id: int) -> State:
    before = state.load(ctx.db, unit_id)
    ctx.target = f"org:{before['uid']}"
    if ctx.if_version is not None and ctx.if_version != before["version"]:
        raise StaleVersion(target=before["path"], actual=before["version"], expected=ctx.if_version)
    return before


def _change(ctx: Context, before: State, columns: dict[str, Any], action: E) -> Change:
    columns = {name: value for name, value in columns.items() if value != before[name]}
    if not columns:
        return _result(ctx, UNCHANGED, before)
    if {"name", "parent_id"} & columns.keys():
        _relocate(ctx, before, {**before, **columns})
    counted = {**columns, "version": before["version"] + 1, "updated_at": ctx.now}
    ctx.db.execute(sa.update(unit).where(unit.c.id == before["id"]).values(**counted))
    after = state.load(ctx.db, before["id"])
    _record(ctx, action, before, after)
    return _result(ctx, UPDATED, after, before)


def _relocate(ctx: Context, before: State, after: State) -> None:
    """Give a unit and all below it the paths that follow from its new name or place; the rows stay what they are."""
    parent = state.load(ctx.db, after["parent_id"]) if after["parent_id"] is not None else None
    path = _below(parent, units.read_name(after["name"]))
    there = _at(ctx, path.norm)
    if there is not None and there.id != before["id"]:
        raise NameTaken(path=there.path)
    old = Path(before["path"], before["path_norm"])
    _check_deepest(ctx, old, path)
    moved = {
        "path": sa.literal(path.shown).concat(sa.func.substr(unit.c.path, len(old.shown) + 1)),
        "path_norm": sa.literal(path.norm).concat(sa.func.substr(unit.c.path_norm, len(old.norm) + 1)),
        # the way to the top and the path change together: a schema that compares them looks at each row once
        "parent_id": sa.case((unit.c.id == before["id"], after["parent_id"]), else_=unit.c.parent_id),
    }
    ctx.db.execute(sa.update(unit).where(units.within(old.norm)).values(**moved))


def _check_deepest(ctx: Context, old: Path, new: Path) -> None:
    """Refuse a place at which a unit below would lie too deep, or have too long a path; raises ``InvalidUnit``."""
    shown, norm = (sa.func.max(sa.func.length(column)) for column in (unit.c.path, unit.c.path_norm))
    steps = sa.func.length(unit.c.path_norm) - sa.func.length(sa.func.replace(unit.c.path_norm, units.SEPARATOR, ""))
    query = sa.select(shown.label("shown"), norm.label("norm"), sa.func.max(steps).label("steps"))
    row = ctx.db.execute(query.where(units.within(old.norm))).one()
    units.check_extent(
        max(row.shown - len(old.shown) + len(new.shown), row.norm - len(old.norm) + len(new.norm)),
        row.steps - old.norm.count(units.SEPARATOR) + new.norm.count(units.SEPARATOR),
    )


def remove(ctx: Context, unit_id: int) -> Change:
    """Remove a unit that has neither members nor units below it; raises ``UnitInUse``."""
    before = _loaded(ctx, unit_id)
    ctx.confirm(1, _("Remove the unit {path}?").format(path=before["path"]))
    below = _count(ctx, unit.c.parent_id == unit_id)
    members = _count(ctx, member.c.org_id == unit_id)
    if below:
        hint = N_("usermgmt org list {path} shows them")
        what = ngettext("{n} unit is below it", "{n} units are below it", below).format(n=below)
        raise UnitInUse(hint, path=before["path"], what=what)
    if members:
        hint = N_("usermgmt org members {path} shows them")
        what = ngettext("{n} user belongs to it", "{n} users belong to it", members).format(n=members)
        raise UnitInUse(hint, path=before["path"], what=what)
    result = _result(ctx, REMOVED, before)
    ctx.db.execute(sa.delete(unit).where(unit.c.id == unit_id))
    _record(ctx, E.ORG_REMOVE, before, {})
    return result


def _count(ctx: Context, condition: Any) -> int:
    return int(ctx.db.execute(sa.select(sa.func.count()).where(condition)).scalar_one())


# -- what it leaves and tells --------------------------------------------------------------------------------------


def _record(ctx: Context, action: E, before: State, after: State) -> None:
    made = {name: [before.get(name), after.get(name)] for name in state.FOLDED if before.get(name) != after.get(name)}
    kept = fold.rules("org").recorded(made, before, after, ctx.now) if after else made
    one = after or before
    ctx.target = f"org:{one['uid']}"
    ctx.audit(action, ctx.target, changes=kept, facts={"path": one["path"]})


def _result(ctx: Context, outcome: str, after: State, before: State | None = None) -> Change:
    values = queries.summary(ctx, after["id"])
    told = {}
    if before is not None:
        told = {name: pair for name, pair in _told(ctx, before, after).items() if pair[0] != pair[1]}
    if ctx.dry_run and outcome == CREATED:
        values |= {"id": None, "uid": None}
    return Change(outcome, "unit", after["path"], values, told, _doubt(ctx, after) if outcome != REMOVED else "")


def _told(ctx: Context, before: State, after: State) -> dict[str, list[Any]]:
    """Return what changed as people call it: paths and usernames where the audit has uids."""
    heads = {one["head_user_id"] for one in (before, after)} - {None}
    query = sa.select(user.c.id, user.c.username).where(bulk.among(ctx.db, user.c.id, heads))
    names = {row.id: row.username for row in ctx.db.execute(query)}
    return {
        "name": [before["name"], after["name"]],
        "path": [before["path"], after["path"]],
        "head": [names.get(one["head_user_id"]) for one in (before, after)],
    }


def _doubt(ctx: Context, after: State) -> str:
    """Return a note where the head is nobody's superior for now."""
    if after["head_user_id"] is None:
        return ""
    row = ctx.db.execute(sa.select(user).where(user.c.id == after["head_user_id"])).mappings().one()
    cause = standing.cause(dict(row), ctx.now)
    return _("its head is not active: {cause}").format(cause=_(standing.CAUSES[cause])) if cause else ""
