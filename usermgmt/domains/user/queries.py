"""Reading users: lists that select columns and stream, one record, whom selectors mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from usermgmt.domains.user import attributes, bigrams, standing, state, units
from usermgmt.domains.user.state import address, attribute, external_id, tag, user
from usermgmt.kernel.columns import Json
from usermgmt.kernel.i18n import _
from usermgmt.kernel.results import Listing
from usermgmt.kernel.selectors import And, Compare, Predicate, column, compile_predicate, contains
from usermgmt.kernel.tables import audit_entry
from usermgmt.kernel.usage import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import RowMapping

    from usermgmt.engines.rules.rule import Rule
    from usermgmt.kernel.context import Context

SORTS = {
    "id": user.c.id,
    "username": user.c.username_norm,
    "created_at": user.c.created_at,
    "status": user.c.status,
    "valid_until": user.c.valid_until,
}
"""Fields a list can be ordered by, and the column that carries the order: each has an index."""

_STANDING = ("status", "valid_from", "valid_until")
_NEEDS = {"active": _STANDING, "cause": _STANDING, "age": ("birth_date",)}
_CHUNK = 2000


def with_tag(word: Any) -> Any:
    """Return the condition of users who have a tag; by their ids, since SQLite looks into each user for EXISTS."""
    return user.c.id.in_(sa.select(tag.c.user_id).where(tag.c.tag == word))


def _tagged(op: str, value: Any) -> Any:
    """Compile ``tag = word``, or ``tag all words``: counted, because a planner takes seconds over a hundred joins."""
    mine = tag.c.user_id == user.c.id
    if op != "all":
        return with_tag(value)
    words = set(value)
    found = sa.select(sa.func.count()).where(mine, tag.c.tag.in_(words)).correlate(user).scalar_subquery()
    # the first one by itself, since an index answers it
    return sa.and_(with_tag(value[0]), found == len(words))


def _attributed(op: str, value: Any) -> Any:
    """Compile what an attribute is: ``any`` of a name, or a relation of a name and a value."""
    name, wanted = value
    mine = sa.select(attribute.c.user_id).where(attribute.c.name == name)
    if op == "any":
        return user.c.id.in_(mine)
    if isinstance(wanted, int):
        # the index on numbers is used only where its own condition stands in the query
        return user.c.id.in_(mine.where(attribute.c.number.is_not(None), column(attribute.c.number)(op, wanted)))
    return user.c.id.in_(mine.where(column(attribute.c.value)(op, wanted)))


def _found(op: str, value: Any) -> Any:
    """Compile that a text is part of a name, an address or one of the attributes named."""
    del op
    text, searched = value
    small, among = bigrams.as_name(text), bigrams.holding(text)
    ways = [
        contains(user.c.username_norm, bigrams.as_username(text)),
        contains(user.c.email_norm, bigrams.as_email(text)),
        *(contains(sa.func.lower(user.c[name]), small) for name in bigrams.NAMES),
        contains(user.c.phone, text),
    ]
    if searched:
        holds = sa.and_(attribute.c.name.in_(searched), contains(sa.func.lower(attribute.c.value), small))
        mine = sa.exists().where(attribute.c.user_id == user.c.id, holds)
        # of every user, reading the attributes once is faster
        ways.append(user.c.id.in_(sa.select(attribute.c.user_id).where(holds)) if among is None else mine)
    found = sa.or_(*ways)
    return found if among is None else sa.and_(among, found)


def _belonging(op: str, value: Any) -> Any:
    """Compile that a user belongs to one of the units at paths in normal form (``=``), or also to one below them."""
    return sa.or_(*(user.c.id.in_(units.members(norm, below=op != "=")) for norm in value))


FIELDS: Mapping[str, Callable[[str, Any], Any]] = {
    "id": column(user.c.id),
    "status": column(user.c.status),
    "created_at": column(user.c.created_at),
    "username_norm": column(user.c.username_norm),
    "tag": _tagged,
    "attribute": _attributed,
    "search": _found,
    "where": lambda _op, rule: rule.condition,
    "org": _belonging,
}
"""What each field of a predicate compiles to."""


def predicate(
    *,
    status: Sequence[str] = (),
    tags: Sequence[str] = (),
    search: str = "",
    searched: Sequence[str] = (),
    created_after: str = "",
    conditions: Sequence[Compare] = (),
    rule: Rule | None = None,
) -> Predicate:
    """Return the predicate of the shared selector options; ``searched`` are attributes in which a search looks too."""
    parts: list[Predicate] = list(conditions)
    if status:
        parts.append(Compare("status", "in", tuple(status)))
    if tags:
        parts.append(Compare("tag", "=", tags[0]) if len(tags) == 1 else Compare("tag", "all", tuple(tags)))
    if search:
        parts.append(Compare("search", "contains", (search, tuple(searched))))
    if created_after:
        parts.append(Compare("created_at", ">=", created_after))
    if rule is not None:
        parts.append(Compare("where", "holds", rule))
    return And(tuple(parts))


def listing(ctx: Context, wanted: Predicate, *, sort: str = "id", limit: int | None = None) -> Listing:
    """List the users that ``wanted`` holds for, as ``ctx.fields``; ``sort`` is a field, ``-field`` descending."""
    where = compile_predicate(wanted, FIELDS)
    # lists alone are subqueries, and name no table
    query = sa.select(*_columns(ctx)).select_from(user).where(where).order_by(*_order(sort))
    if limit is not None:
        query = query.limit(limit)

    return Listing(ctx.fields, _rows(ctx, query), lambda: count(ctx, where), limit)


def count(ctx: Context, where: Any) -> int:
    """Return for how many users a condition is true."""
    return int(ctx.db.execute(sa.select(sa.func.count()).select_from(user).where(where)).scalar_one())


def _order(sort: str) -> tuple[Any, ...]:
    target = SORTS[sort.removeprefix("-")]
    order = target.desc() if sort.startswith("-") else target.asc()
    # asked for where a column has nulls only: it costs the use of the index
    return (order.nulls_last() if target.nullable else order), user.c.id


def checked_sort(sort: str) -> str:
    """Return ``sort`` where it names a field that lists can be ordered by; raises ``BadValue``."""
    if sort.removeprefix("-") not in SORTS:
        problem = _("it must be one of {choices}").format(choices=", ".join(SORTS))
        raise BadValue(name="--sort", problem=problem, path="usermgmt user list")
    return sort


def _columns(ctx: Context) -> list[Any]:
    names: dict[str, None] = {}
    for name in ctx.fields:
        names.update(dict.fromkeys(_NEEDS.get(name, (name,))))
    return [_column(ctx, name).label(name) for name in names]


def _column(ctx: Context, name: str) -> Any:
    if name == "org":
        return units.path_of(user.c.id)
    return _list(ctx, name) if name in _LISTS else user.c[name]


_LISTS: dict[str, tuple[Any, Any, Any]] = {
    "tags": (tag, None, tag.c.tag),
    "external_ids": (external_id, external_id.c.system, external_id.c.external_id),
    "attributes": (attribute, attribute.c.name, attribute.c.value),
    "addresses": (address, None, address.c.kind + ":" + address.c.value),
}


def _list(ctx: Context, name: str) -> Any:
    """Return the subquery that gives a user's list as one JSON value, sorted."""
    table, key, value = _LISTS[name]
    sqlite = ctx.store.dialect == "sqlite"
    inner = (
        sa.select(value.label("v"), *([key.label("k")] if key is not None else []))
        .where(table.c.user_id == user.c.id)
        .order_by(value if key is None else key)
        .correlate(user)
        .subquery()
    )
    if key is not None:
        made = (sa.func.json_group_object if sqlite else sa.func.json_object_agg)(inner.c.k, inner.c.v)
    else:
        made = (sa.func.json_group_array if sqlite else sa.func.json_agg)(inner.c.v)
    return sa.type_coerce(sa.select(made).scalar_subquery(), Json)


def _rows(ctx: Context, query: Any) -> Iterator[tuple[Any, ...]]:
    # closed also where the reader has gone: a server keeps the cursor of an unfinished list open otherwise
    with ctx.db.execute(query.execution_options(yield_per=_CHUNK)) as result:
        if not any(name in _NEEDS or name in _LISTS for name in ctx.fields):
            for chunk in result.partitions():
                yield from map(tuple, chunk)
            return
        for row in result.mappings():
            yield tuple(_value(ctx, name, row) for name in ctx.fields)


def _value(ctx: Context, name: str, row: RowMapping) -> Any:
    match name:
        case "active":
            return standing.cause(dict(row), ctx.now) is None
        case "cause":
            return standing.cause(dict(row), ctx.now)
        case "age":
            return standing.age(row["birth_date"], ctx.today)
        case "external_ids":
            return row[name] or {}
        case "attributes":
            return attributes.typed(ctx.settings.attributes, row[name] or {})
        case "tags" | "addresses":
            return row[name] or []
    return row[name]


def shown(ctx: Context, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user's state as the object that results show: the view's fields in its order."""
    from usermgmt.domains.user.views import USER

    cause = standing.cause(record, ctx.now)
    age = standing.age(record["birth_date"], ctx.today)
    values = {**record, "active": cause is None, "cause": cause, "age": age}
    values["attributes"] = attributes.typed(ctx.settings.attributes, record["attributes"])
    values["org"] = units.path(ctx.db, record["org"])
    return {name: values.get(name) for name in USER.names}


def record(ctx: Context, user_id: int) -> dict[str, Any]:
    """Return one user with former names and notes."""
    found = state.load(ctx.db, [user_id])[user_id]
    ctx.target = f"user:{found['uid']}"
    superior = units.superior(ctx, user_id)
    notes = ctx.db.execute(sa.select(state.note).where(state.note.c.user_id == user_id).order_by(state.note.c.id))
    return {
        **shown(ctx, found),
        "superior": superior and superior.username,
        "former_names": found["former_names"],
        "notes": [{"at": row.at, "actor": row.actor, "text": row.text} for row in notes],
    }


def selected(ctx: Context, wanted: Predicate) -> list[tuple[str, int]]:
    """Return names and ids of the users that ``wanted`` holds for, in order of id."""
    query = sa.select(user.c.username, user.c.id).where(compile_predicate(wanted, FIELDS)).order_by(user.c.id)
    return [(row.username, row.id) for row in ctx.db.execute(query)]


def has_attribute(ctx: Context, name: str) -> bool:
    """Tell whether anybody has the attribute ``name``, declared or not."""
    query = sa.select(attribute.c.user_id).where(attribute.c.name == name).limit(1)
    return ctx.db.execute(query).first() is not None


def target(ctx: Context, user_id: int) -> str:
    """Return how the audit names a user."""
    return "user:" + str(ctx.db.execute(sa.select(user.c.uid).where(user.c.id == user_id)).scalar_one())


def was_there(ctx: Context, target: str) -> bool:
    """Tell whether the audit has anything about ``target``, also where it was removed since."""
    query = sa.select(audit_entry.c.seq).where(audit_entry.c.target == target).limit(1)
    return ctx.db.execute(query).first() is not None
