"""Reads columns of raw cells into what the store keeps: by the same readers as single values, for thousands at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from usermgmt.domains.user import attributes, fields, identifiers, rules, units
from usermgmt.domains.user.confusables import skeleton
from usermgmt.domains.user.types import TEXT_LIMITS
from usermgmt.domains.user.writing import Former
from usermgmt.kernel.errors import UsermgmtError
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.transfer import DROPPED, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.transfer import Chunk, Handling

FIELDS = (
    "uid",
    "username",
    "email",
    "phone",
    "display_name",
    "full_name",
    "gender",
    "birth_date",
    "occupation",
    "locale",
    "time_zone",
    "kind",
    "valid_from",
    "valid_until",
    "email_verified_at",
    "phone_verified_at",
    "managed_by",
    "status",
    "status_reason",
    "status_at",
    "created_at",
    "org",
    "tags",
    "external_ids",
    "attributes",
    "addresses",
    "former_names",
)
"""What a record can have, in the order in which faults are looked for."""

_DROPPABLE = frozenset(
    {"display_name", "full_name", "email", "phone", "gender", "birth_date", "occupation", "locale", "time_zone"}
    | {"email_verified_at", "phone_verified_at", "addresses", "attributes"}
)
"""Fields without which the account is the same account: neither who it is, nor whether it counts."""

_PLAIN = frozenset({"display_name", "full_name", "occupation", "managed_by"})
_REMEMBERED = 1 << 15
_ATTRIBUTE = "attribute."
"""What the fields begin with that are one attribute each."""

WORDS: dict[str, dict[str, str]] = {
    "gender": {
        "男": "male",
        "女": "female",
        "其他": "other",
        "m": "male",
        "f": "female",
        "男性": "male",
        "女性": "female",
    },
    "kind": {"服务账号": "service", "个人": "person"},
    "status": {"停用": "suspended", "注销": "closed"},
}
"""What files of other systems say for an enum's value; see the glossary."""


@dataclass(slots=True)
class Checked:
    """Records that were read: columns of the store, in which None is nothing given, and what was found wrong."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)
    cleared: dict[int, list[str]] = field(default_factory=dict)
    faults: dict[int, UsermgmtError] = field(default_factory=dict)
    dropped: dict[int, list[Finding]] = field(default_factory=dict)
    doubts: dict[int, dict[str, UsermgmtError]] = field(default_factory=dict)
    """Row -> attributes that can be given such a value no more, each with the error; whoever has it keeps it."""

    def values(self, row: int) -> dict[str, Any]:
        """Return the columns that the record gives."""
        found = {name: column[row] for name, column in self.columns.items() if column[row] is not None}
        return found | {name: None for name in self.cleared.get(row, ()) if name not in _LISTED and "." not in name}

    def lists_of(self, row: int) -> dict[str, Any]:
        """Return the lists that the record gives."""
        found = {name: column[row] for name, column in self.lists.items() if column[row] is not None}
        cleared = self.cleared.get(row, ())
        found |= {name: rules.EMPTY_LISTS[name] for name in cleared if name in _LISTS}
        gone = {name.removeprefix(_ATTRIBUTE): None for name in cleared if name.startswith(_ATTRIBUTE)}
        if "attributes" in cleared:
            gone[attributes.ALL] = None
        return found | {"attributes": gone | found.get("attributes", {})} if gone else found


class ColumnReader:
    """Reads the chunks of one run."""

    def __init__(self, ctx: Context, handling: Handling) -> None:
        self._ctx = ctx
        self._handling = handling
        self._region = ctx.store.meta.region or ""
        self._reader = fields.Reader(ctx, self._region)
        self._seen: dict[str, dict[str, Any]] = {}
        self._checked = Checked()

    def read(self, chunk: Chunk) -> Checked:
        """Return what the records of ``chunk`` give, and what is wrong with them."""
        made = self._checked = Checked()
        for name in FIELDS:
            if name in chunk.cells:
                self._column(name, self._texts(name, chunk.cells[name]))
        for name in chunk.cells:
            field_name, dot, key = name.partition(".")
            if name.startswith(_ATTRIBUTE):
                self._attribute_in(key, self._texts(name, chunk.cells[name]))
            elif dot:
                self._ids_in(field_name, key, self._texts(name, chunk.cells[name]))
        return made

    def _attribute_in(self, name: str, raw: Sequence[Any]) -> None:
        """Read a column that holds one attribute, and add it to the other ones of its records."""
        seen = self._remembered(_ATTRIBUTE + name)

        def read(value: str) -> dict[str, str]:
            found = seen.get(value)
            if found is None:
                declared = attributes.known(self._ctx.settings.attributes, name)
                found = seen[value] = {name: attributes.read(declared, value)}
            return found

        self._join("attributes", self._each(_ATTRIBUTE + name, raw, read))

    def _attributes(self, raw: Sequence[Any]) -> None:
        declared, handling = self._ctx.settings.attributes, self._handling
        column = self._each("attributes", raw, _object)
        for row, given in enumerate(column):
            if given is not None:
                found, doubts = attributes.read_object(declared, given, clears=handling.clears)
                if handling.drops:
                    for name, error in doubts.items():
                        del found[name]
                        self._fault(row, "attributes", error)
                elif doubts:
                    self._checked.doubts[row] = doubts
                column[row] = found or None
        self._checked.lists["attributes"] = column

    def _ids_in(self, name: str, system: str, raw: Sequence[Any]) -> None:
        """Read a column that holds the ids of one system, and add them to the other ids of its records."""
        self._join(name, self._each(name, raw, lambda value: fields.external_ids([f"{system}/{value}"])))

    def _join(self, name: str, found: list[Any]) -> None:
        others = self._checked.lists.get(name, [None] * len(found))
        both = zip(others, found, strict=True)
        self._checked.lists[name] = [{**(one or {}), **two} if two else one for one, two in both]

    def _column(self, name: str, raw: Sequence[Any]) -> None:
        columns = self._checked.columns
        if name == "username":
            self._usernames(raw)
        elif name == "email":
            found = self._each(name, raw, lambda value: identifiers.email(value.strip()))
            columns["email"] = [one and one[0] for one in found]
            columns["email_norm"] = [one and one[1] for one in found]
        elif name == "phone":
            columns[name] = self._each(name, raw, lambda value: identifiers.phone(value, self._region))
        elif name == "attributes":
            self._attributes(raw)
        elif name == "org":
            # which unit lies there, only the transaction can tell
            columns[name] = self._each(name, raw, lambda value: units.read_path(value).norm)
        elif name in _LISTS:
            read = _LISTS[name]
            self._checked.lists[name] = self._each(name, raw, lambda value: read(self, value) or None)
        elif name in _PLAIN and self._is_plain(name, raw):
            columns[name] = [value or None for value in raw]
        else:
            columns[name] = self._simple(name, raw)

    def _usernames(self, raw: Sequence[Any]) -> None:
        found = self._each("username", raw, identifiers.username)
        columns = self._checked.columns
        columns["username"] = [one and one[0] for one in found]
        columns["username_norm"] = norms = [one and one[1] for one in found]
        columns["skeleton"] = [norm and skeleton(norm) for norm in norms]

    def _is_plain(self, name: str, raw: Sequence[Any]) -> bool:
        """Tell whether a column of texts holds nothing that ``fields.text`` would refuse, nor anything to clear."""
        if None in raw or (self._handling.clears and not all(raw)):
            return False
        # what is printable holds no control characters and no surrogates, which is all that cannot be stored
        return max(map(len, raw), default=0) <= TEXT_LIMITS[name] and "".join(raw).isprintable()

    def _simple(self, name: str, raw: Sequence[Any]) -> list[Any]:
        seen = self._remembered(name)
        words = WORDS.get(name, {})

        def read(value: str) -> Any:
            found = seen.get(value)
            if found is None:
                given = words.get(value.strip().lower(), value) if words else value
                found = seen[value] = self._reader.read(name, given)[name]
            return found

        return self._each(name, raw, read)

    def _remembered(self, name: str) -> dict[str, Any]:
        """Return what values of a field were read before, by their text; forgotten where they are too many."""
        seen = self._seen.setdefault(name, {})
        if len(seen) > _REMEMBERED:
            seen.clear()
        return seen

    def _each(self, name: str, raw: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
        found: list[Any] = []
        take = found.append
        clears = self._handling.clears
        for row, value in enumerate(raw):
            if not value:
                take(None)
                if clears and value is not None:
                    self._clear(row, name)
                continue
            try:
                take(read(value))
            except UsermgmtError as error:
                take(None)
                self._fault(row, name, error)
        return found

    def _clear(self, row: int, name: str) -> None:
        try:
            names = [name] if name in _LISTED else list(self._reader.read(name, ""))
        except UsermgmtError as error:
            self._fault(row, name, error)
        else:
            self._checked.cleared.setdefault(row, []).extend(names)

    def _fault(self, row: int, name: str, error: UsermgmtError) -> None:
        # its frames would keep the whole chunk alive
        error.__traceback__ = None
        if self._handling.drops and (name in _DROPPABLE or name.startswith(_ATTRIBUTE)):
            self._checked.dropped.setdefault(row, []).append(Finding(row, DROPPED, error))
        else:
            self._checked.faults.setdefault(row, error)

    def _texts(self, name: str, raw: Sequence[Any]) -> Sequence[Any]:
        """Return the cells of a column as texts; JSON has numbers too, and lists and objects for lists."""
        if set(map(type, raw)) == {str} or name in _LISTED:
            return raw
        return [value if value.__class__ is str else self._text(row, name, value) for row, value in enumerate(raw)]

    def _text(self, row: int, name: str, value: Any) -> str | None:
        if value is None:
            return None
        if name.startswith(_ATTRIBUTE) and isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        self._fault(row, name, fields.InvalidField(field=name, problem=_("it is not a text")))
        return None

    # -- lists -----------------------------------------------------------------------------------------------------

    def _tags(self, value: Any) -> list[str]:
        return sorted({fields.tag(word) for word in _items("tags", value)})

    def _external_ids(self, value: Any) -> dict[str, str]:
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = _json("external_ids", value)
        if isinstance(value, dict):
            value = [f"{system}/{found}" for system, found in value.items()]
        return fields.external_ids(_items("external_ids", value))

    def _addresses(self, value: Any) -> list[str]:
        return sorted({":".join(fields.address(item, self._region)) for item in _items("addresses", value)})

    def _former_names(self, value: Any) -> list[Former]:
        """Read names given up: an object ``{name: time}``, or a list of names that are given up now."""
        found = _json("former_names", value) if isinstance(value, str) else value
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            found = dict.fromkeys(found, self._ctx.now)
        if not isinstance(found, dict) or not all(isinstance(one, str) for pair in found.items() for one in pair):
            raise _malformed("former_names", N_("write them as a JSON object: each name with its time"))
        names = {}
        for name, until in found.items():
            read = identifiers.username(name)
            moment = self._ctx.moment(until, "former_names", direction="past")
            names[read.norm] = Former(read.norm, read.display, skeleton(read.norm), moment)
        return sorted(names.values(), key=lambda one: (one.until, one.norm))


_LISTS: dict[str, Callable[[ColumnReader, Any], Any]] = {
    "tags": ColumnReader._tags,  # noqa: SLF001 - its own readers
    "external_ids": ColumnReader._external_ids,  # noqa: SLF001
    "addresses": ColumnReader._addresses,  # noqa: SLF001
    "former_names": ColumnReader._former_names,  # noqa: SLF001
}
_LISTED = frozenset(_LISTS) | {"attributes"}


def _items(name: str, value: Any) -> list[str]:
    """Return the items of a list: those of a JSON array, or what semicolons separate."""
    if isinstance(value, str):
        return [item for item in value.split(";") if item.strip()]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise _malformed(name, N_("write it as a list of texts"))


def _json(name: str, value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise _malformed(name, N_("write it as JSON")) from None


def _object(value: Any) -> dict[str, Any]:
    found = _json("attributes", value) if isinstance(value, str) else value
    if not isinstance(found, dict) or not all(isinstance(one, str | int | None) for one in found.values()):
        raise _malformed("attributes", N_("write them as a JSON object: each name with its value"))
    return found


def _malformed(name: str, hint: str) -> fields.InvalidField:
    return fields.InvalidField(hint, field=name, problem=_("it is not in the form of such a list"))
