"""What ``--where`` can say of users: the fields of a user's view, as SQL has them and as a record does."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from usermgmt.domains.user import attributes, identifiers, queries, standing
from usermgmt.domains.user.fields import is_system
from usermgmt.domains.user.state import address, attribute, external_id, tag, user
from usermgmt.domains.user.types import Status
from usermgmt.domains.user.views import USER
from usermgmt.engines.rules.rule import rule
from usermgmt.engines.rules.schema import Field, Schema
from usermgmt.engines.rules.types import BOOL, INT, STRING, TIMESTAMP, list_of
from usermgmt.kernel.columns import Text
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.permissions import P
from usermgmt.kernel.selectors import starts_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from usermgmt.engines.rules.rule import Rule
    from usermgmt.engines.rules.types import Type
    from usermgmt.kernel.context import Context
    from usermgmt.kernel.settings_attributes import Attribute

NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})
_TYPES = {"id": INT, "version": INT} | {
    column.name: TIMESTAMP for column in USER.columns if column.kind == "time"
}  # fmt: skip
_COMPUTED = ("active", "cause", "age", "birth_date", "tags", "addresses", "external_ids", "attributes", "org")
# whoever knows an address may look its user up by it, and so may ask here
_IDENTIFIERS = ("email", "phone")
_IDEOGRAPHS = re.compile("[\u4e00-\u9fff]")


def where(ctx: Context, source: str) -> Rule:
    """Read what ``--where`` says; raises ``BadExpression``, and ``Denied`` where it would feel masked values out."""
    found = rule(source, schema(ctx.now, ctx.today, ctx.settings.attributes), "--where")
    if found.felt:
        ctx.require(P.DATA_REVEAL)
    return found


def schema(now: str, today: str, declared: Mapping[str, Attribute] = NO_ATTRIBUTES) -> Schema:
    """Return what can be said of users at the moment ``now`` of the date ``today``, and of ``declared`` attributes."""
    plain = [_plain(column.name) for column in USER.columns if column.name not in _COMPUTED]
    fields = [*plain, *_standing(now), *_born(today), *_lists()]
    return Schema(
        {one.name: one for one in fields},
        families={"external_ids": _external_id, "attributes": lambda name: _attribute(declared.get(name))},
        constants={"now": (TIMESTAMP, now)},
        root="user",
    )


def _field(name: str, kind: Type, value: Any, **more: Any) -> Field:
    """Return a field that is one SQL expression."""
    column = USER.column(name)
    masked = column is not None and bool(column.mask)
    return Field(name, kind, lambda _op, _value: value, masked=masked, exact=name in _IDENTIFIERS, **more)


def _plain(name: str) -> Field:
    return _field(name, _TYPES.get(name, STRING), user.c[name], narrow=_NARROW.get(name))


# -- names and addresses: kept as given, and indexed in the form in which they are unique ------------------------------


def _username_narrowed(op: str, value: Any) -> Any:
    if op != "startsWith":
        return _normalised(user.c.username_norm, lambda name: identifiers.username(name).norm, op, value)
    # a letter may be composed with what follows it, an ideograph is not; what else there is may change on its way
    start = value if _IDEOGRAPHS.fullmatch(value[-1:]) else value[:-1]
    plain = value.isascii() or _IDEOGRAPHS.sub("", value).isascii()
    return starts_with(user.c.username_norm, start.lower()) if plain and start else None


def _email_narrowed(op: str, value: Any) -> Any:
    return _normalised(user.c.email_norm, lambda mail: identifiers.email(mail).norm, op, value)


def _normalised(column: Any, norm: Callable[[str], str], op: str, value: Any) -> Any:
    """Return which normal forms the values that are asked for have; one that has none can be no user's."""
    if op == "startsWith":
        return None
    try:
        return column.in_([norm(one) for one in ((value,) if op == "==" else value)])
    except Invalid:
        return None


_NARROW: dict[str, Callable[[str, Any], Any]] = {"username": _username_narrowed, "email": _email_narrowed}


# -- computed from the row and the time, as ``standing`` does ----------------------------------------------------------


def _standing(now: str) -> list[Field]:
    live = user.c.status == Status.ACTIVE.value
    begun = sa.or_(user.c.valid_from.is_(None), user.c.valid_from <= now)
    lasts = sa.or_(user.c.valid_until.is_(None), user.c.valid_until > now)
    cause = sa.case((sa.not_(live), user.c.status), (sa.not_(begun), "not-yet-valid"), (sa.not_(lasts), "expired"))
    return [
        _field("active", BOOL, sa.and_(live, begun, lasts), read=lambda row: standing.cause(row, now) is None),
        _field("cause", STRING, sa.type_coerce(cause, Text()), read=lambda row: standing.cause(row, now)),
    ]


class _DateText(sa.sql.functions.GenericFunction[str]):
    """A date as the text that views show."""

    inherit_cache = True
    name = "date_text"
    type = Text()


@compiles(_DateText)
def _as_it_is(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(_DateText, "postgresql")
def _formatted(element: Any, compiler: Any, **options: Any) -> str:
    date = compiler.process(element.clauses, **options)
    return f"(to_char({date}, 'YYYY-MM-DD') COLLATE \"C\")"


def _born(today: str) -> list[Field]:
    born = _DateText(user.c.birth_date)
    early = sa.case((sa.literal(today[5:10], Text()) < sa.func.substr(born, 6, 5, type_=Text()), 1), else_=0)
    year = sa.cast(sa.func.substr(born, 1, 4), sa.BigInteger())
    age = sa.cast(int(today[:4]) - year - early, sa.BigInteger())
    return [
        _field("birth_date", STRING, born),
        _field("age", INT, age, read=lambda row: standing.age(row["birth_date"], today)),
    ]


# -- lists and maps ----------------------------------------------------------------------------------------------------


def _lists() -> list[Field]:
    return [
        _list("tags", tag, tag.c.tag),
        _list("addresses", address, address.c.kind + ":" + address.c.value),
    ]


def _list(name: str, table: Any, item: Any) -> Field:
    def sql(op: str, value: Any) -> Any:
        mine = table.c.user_id == user.c.id
        if op == "size":
            count = sa.select(sa.func.count()).select_from(table).where(mine)
            return sa.cast(count.correlate(user).scalar_subquery(), sa.BigInteger())
        if table is tag and isinstance(value, sa.BindParameter):
            return queries.with_tag(value)
        return sa.exists().where(mine, item == value).correlate(user)

    column = USER.column(name)
    return Field(name, list_of(STRING), sql, masked=column is not None and bool(column.mask))


def _external_id(system: str) -> Field | None:
    """Return the field of a user's id in another system, which most users do not have."""
    if not is_system(system):
        return None
    mine = sa.and_(external_id.c.user_id == user.c.id, external_id.c.system == system)
    found = sa.select(external_id.c.external_id).where(mine).correlate(user).scalar_subquery()

    def narrow(op: str, value: Any) -> Any:
        if op == "startsWith":
            return None
        values = (value,) if op == "==" else value
        same = sa.and_(external_id.c.system == system, external_id.c.external_id.in_(values))
        return user.c.id.in_(sa.select(external_id.c.user_id).where(same))

    def read(row: Mapping[str, Any]) -> Any:
        return row["external_ids"].get(system)

    return _field(f"external_ids.{system}", STRING, found, narrow=narrow, read=read)


def _attribute(declared: Attribute | None) -> Field | None:
    """Return the field of an attribute, of its declared type; a value that is none of the type is no value."""
    if declared is None:
        return None
    mine = sa.and_(attribute.c.user_id == user.c.id, attribute.c.name == declared.name)
    kept: Any = attribute.c.value
    kind = STRING
    if declared.type == "integer":
        kept, kind = attribute.c.number, INT
    elif declared.type == "boolean":
        mine = sa.and_(mine, kept.in_(("true", "false")))
        kept, kind = kept == "true", BOOL
    found = sa.select(kept).where(mine).correlate(user).scalar_subquery()

    def narrow(op: str, value: Any) -> Any:
        if kind is BOOL:
            return None
        holds = starts_with(kept, value) if op == "startsWith" else kept.in_((value,) if op == "==" else value)
        return user.c.id.in_(sa.select(attribute.c.user_id).where(attribute.c.name == declared.name, holds))

    def read(row: Mapping[str, Any]) -> Any:
        value = attributes.typed({declared.name: declared}, row["attributes"]).get(declared.name)
        return None if kind is not STRING and isinstance(value, str) else value

    name = f"attributes.{declared.name}"
    return Field(name, kind, lambda _op, _value: found, narrow=narrow, read=read, masked=bool(declared.mask))
