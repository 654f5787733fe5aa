"""Reading units: the tree as a list, and one unit with those above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import units
from usermgmt.domains.user.units import member, unit, user
from usermgmt.kernel.i18n import _
from usermgmt.kernel.results import Listing
from usermgmt.kernel.usage import BadValue

if TYPE_CHECKING:
    from usermgmt.kernel.context import Context

_above = unit.alias("above")
_below = unit.alias("below")
# no name holds a control character: so a unit stands before those below it, and they before the next one
_TREE = sa.func.replace(unit.c.path_norm, units.SEPARATOR, "\x01")
SORTS = {"path": _TREE, "id": unit.c.id, "created_at": unit.c.created_at}
_COLUMNS: dict[str, Any] = {
    **{name: unit.c[name] for name in ("id", "uid", "path", "name", "created_at", "updated_at", "version")},
    "parent": _above.c.path,
    "head": user.c.username,
    "units": sa.select(sa.func.count()).where(_below.c.parent_id == unit.c.id).correlate(unit).scalar_subquery(),
    "members": sa.select(sa.func.count()).where(member.c.org_id == unit.c.id).correlate(unit).scalar_subquery(),
}


def _select(names: tuple[str, ...]) -> Any:
    found: Any = sa.select(*(_COLUMNS[name].label(name) for name in names)).select_from(unit)
    return found.outerjoin(_above, _above.c.id == unit.c.parent_id).outerjoin(user, user.c.id == unit.c.head_user_id)


def listing(ctx: Context, top: str = "", *, sort: str = "path", limit: int | None = None) -> Listing:
    """List the units, or the one that ``top`` means and those below it, in the order of the tree unless told."""
    where = units.within(units.find(ctx, top).path_norm) if top else sa.true()
    order = SORTS[sort.removeprefix("-")]
    query = _select(ctx.fields).where(where).order_by(order.desc() if sort.startswith("-") else order, unit.c.id)

    def total() -> int:
        return int(ctx.db.execute(sa.select(sa.func.count()).select_from(unit).where(where)).scalar_one())

    return Listing(ctx.fields, map(tuple, ctx.db.execute(query.limit(limit))), total, limit)


def checked_sort(sort: str) -> str:
    """Return ``sort`` where it names a field that lists of units can be ordered by; raises ``BadValue``."""
    if sort.removeprefix("-") not in SORTS:
        problem = _("it must be one of {choices}").format(choices=", ".join(SORTS))
        raise BadValue(name="--sort", problem=problem, path="usermgmt org list")
    return sort


def summary(ctx: Context, unit_id: int) -> dict[str, Any]:
    """Return one unit as lists show it."""
    from usermgmt.domains.org.views import ORG

    return dict(ctx.db.execute(_select(ORG.names).where(unit.c.id == unit_id)).mappings().one())


def record(ctx: Context, word: str) -> dict[str, Any]:
    """Return the unit that ``word`` means, with the heads above it and how many belong to it or below."""
    found = units.find(ctx, word)
    ctx.target = f"org:{found.uid}"
    above = units.upwards(found.path_norm)[1:]
    heads = units.heads(ctx.db, above[0]) if above else []
    members = sa.select(sa.func.count()).select_from(units.members(found.path_norm).subquery())
    return {
        **summary(ctx, found.id),
        "superiors": [row.username for row in heads if row.id != found.head_user_id],
        "members_below": int(ctx.db.execute(members).scalar_one()),
    }
