"""Users as an export writes them: every column that an import takes back, unmasked, straight from SQL."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import sqlalchemy as sa

from usermgmt.domains.user import units
from usermgmt.domains.user.queries import FIELDS, count
from usermgmt.domains.user.state import address, attribute, external_id, former_name, tag, user
from usermgmt.kernel.columns import Json
from usermgmt.kernel.selectors import compile_predicate

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.selectors import Predicate

COLUMNS = (
    "uid",
    "username",
    "display_name",
    "full_name",
    "kind",
    "status",
    "status_reason",
    "status_at",
    "email",
    "email_verified_at",
    "phone",
    "phone_verified_at",
    "gender",
    "birth_date",
    "occupation",
    "locale",
    "time_zone",
    "org",
    "tags",
    "external_ids",
    "attributes",
    "addresses",
    "former_names",
    "valid_from",
    "valid_until",
    "managed_by",
    "created_at",
)
_BATCH = 1000

_SEQUENCES: dict[str, tuple[Any, Any]] = {
    "tags": (tag, tag.c.tag),
    "addresses": (address, address.c.kind + ":" + address.c.value),
}
_MAPPINGS: dict[str, tuple[Any, Any, Any]] = {
    "external_ids": (external_id, external_id.c.system, external_id.c.external_id),
    "attributes": (attribute, attribute.c.name, attribute.c.value),
    "former_names": (former_name, former_name.c.username, former_name.c.until),
}


class UserExporter:
    """What ``export users`` knows of users."""

    columns: Sequence[str] = COLUMNS

    def count(self, ctx: Context, where: Predicate) -> int:
        """Return how many users ``where`` holds for."""
        return count(ctx, compile_predicate(where, FIELDS))

    def rows(self, ctx: Context, where: Predicate) -> Generator[Sequence[object]]:
        """Yield users as cells."""
        plain, empty = ctx.store.dialect == "sqlite", _empty(ctx)
        cells = [sa.null() if name in empty else _cell(name, plain=plain) for name in COLUMNS]
        for batch in _batches(ctx, where, cells):
            yield from batch

    def objects(self, ctx: Context, where: Predicate) -> Generator[list[str]]:
        """Yield users as JSON objects; SQLite makes them itself, in half the time that Python would take."""
        empty = _empty(ctx)
        if ctx.store.dialect == "sqlite":
            values = (empty[name].json if name in empty else _json(name) for name in COLUMNS)
            pairs = chain.from_iterable(
                (sa.literal_column(f"'{name}'"), value) for name, value in zip(COLUMNS, values, strict=True)
            )
            for batch in _batches(ctx, where, [sa.func.json_object(*pairs)]):
                yield [row[0] for row in batch]
            return
        columns = [empty[name].value if name in empty else _value(name) for name in COLUMNS]
        for batch in _batches(ctx, where, columns):
            yield [orjson.dumps(dict(zip(COLUMNS, row, strict=True))).decode() for row in batch]


EXPORTER = UserExporter()


def _batches(ctx: Context, where: Predicate, columns: Sequence[Any]) -> Generator[Sequence[Sequence[Any]]]:
    query = sa.select(*columns).select_from(user).where(compile_predicate(where, FIELDS)).order_by(user.c.id)
    with ctx.db.execute(query.execution_options(yield_per=_BATCH)) as result:
        yield from result.partitions()


class _Nothing(NamedTuple):
    """What stands for a list or a map that no user has: as SQLite's JSON, and as a value of PostgreSQL."""

    json: Any
    value: Any


def _empty(ctx: Context) -> dict[str, _Nothing]:
    """Return the columns that are empty for everybody: to look for each user's rows costs as much as all the rest."""
    found = {}
    for name, (table, *_columns) in (_SEQUENCES | _MAPPINGS).items():
        if ctx.db.execute(sa.select(table.c.user_id).limit(1)).first() is None:
            text = "[]" if name in _SEQUENCES else "{}"
            value = sa.type_coerce(sa.literal_column(f"'{text}'::json"), Json)
            found[name] = _Nothing(sa.literal_column(f"json('{text}')"), value)
    return found


def _cell(name: str, *, plain: bool) -> Any:
    if name in _SEQUENCES:
        joined = sa.func.group_concat if plain else sa.func.string_agg
        return _gathered(lambda items: joined(items.c.v, ";"), *_SEQUENCES[name])
    if name in _MAPPINGS:
        made = _mapping(name, plain=plain)
        return sa.func.nullif(made, "{}") if plain else made
    if name == "org":
        return _plain(name)
    # the text as it is: looking at each value for what to convert costs as much as reading it
    return sa.type_coerce(user.c[name], sa.TEXT) if plain else user.c[name]


def _json(name: str) -> Any:
    if name in _SEQUENCES:
        return sa.func.json(_gathered(lambda items: sa.func.json_group_array(items.c.v), *_SEQUENCES[name]))
    return sa.func.json(_mapping(name, plain=True)) if name in _MAPPINGS else _plain(name)


def _plain(name: str) -> Any:
    return units.path_of(user.c.id) if name == "org" else user.c[name]


def _value(name: str) -> Any:
    """Return a column whose rows hold Python's values, for PostgreSQL."""
    if name in _SEQUENCES:
        made = _gathered(lambda items: sa.func.json_agg(items.c.v), *_SEQUENCES[name])
        return sa.type_coerce(sa.func.coalesce(made, sa.text("'[]'::json")), Json)
    return sa.func.coalesce(_mapping(name, plain=False), sa.text("'{}'::json")) if name in _MAPPINGS else _plain(name)


def _mapping(name: str, *, plain: bool) -> Any:
    table, key, value = _MAPPINGS[name]
    if plain:
        return _gathered(lambda items: sa.func.json_group_object(items.c.k, items.c.v), table, value, key)
    if name == "former_names":
        value = sa.func.to_char(sa.func.timezone("UTC", value), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    made = _gathered(lambda items: sa.func.json_object_agg(items.c.k, items.c.v), table, value, key)
    return sa.type_coerce(made, Json)


def _gathered(function: Any, table: Any, value: Any, key: Any = None) -> Any:
    """Return the subquery that puts a user's rows of ``table``, in order of key or value, together."""
    columns = [value.label("v")] if key is None else [key.label("k"), value.label("v")]
    order = value if key is None else key
    items = sa.select(*columns).where(table.c.user_id == user.c.id).order_by(order).correlate(user).subquery()
    return sa.select(function(items)).scalar_subquery()
