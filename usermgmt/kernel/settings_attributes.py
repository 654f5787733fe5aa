"""The settings that declare attributes of users: a family of keys, ``attribute.NAME.PROPERTY``, and what they mean.

An attribute stands whole in one file: a later file that declares it again replaces all that earlier ones say of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.settings_values import Problem, Setting, check, cut, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from usermgmt.kernel.settings_file import ConfigFile
    from usermgmt.kernel.settings_values import Value

    Found = tuple[str, Value, str | ConfigFile]

Type = Literal["text", "integer", "boolean", "date", "choice"]
TYPES: tuple[Type, ...] = ("text", "integer", "boolean", "date", "choice")
NO_MASK = "none"
SHOWN_AS = (NO_MASK, "name", "email", "phone", "date", "text")
"""The masks that an attribute can have."""

SECTION = "attribute"
PREFIX = SECTION + "."
NAME_MAX = 40
NAME = rf"[a-z][a-z0-9_]{{0,{NAME_MAX - 1}}}"
MOST = 100
"""Attributes that one file can declare."""
VALUE_MAX = 500
"""Code points of a value: an entry of PostgreSQL's B-tree holds 2,704 bytes (its manual, 64.1)."""
CHOICES_MAX = 200
WORD_MAX = 100
"""Code points of a choice, and of a label."""

FAMILY = (
    Setting("attribute.NAME.type", "choice", "", N_("What the values of the attribute NAME of users are; it may be "
            "left out where there are choices."), choices=TYPES, filed=True),
    Setting("attribute.NAME.choices", "list", (), N_("The values that an attribute can have, for the type choice."),
            filed=True),
    Setting("attribute.NAME.label", "text", "", N_("What people call the attribute; empty: its name."), filed=True),
    Setting("attribute.NAME.mask", "choice", NO_MASK, N_("How its values are masked where they are shown; text hides "
            "them whole."), choices=SHOWN_AS, filed=True),
    Setting("attribute.NAME.maximum", "int", 200, N_("The longest value of an attribute of the type text."), minimum=1,
            maximum=VALUE_MAX, filed=True),
)  # fmt: skip
"""The properties of an attribute; NAME stands for its name."""
_BY_PROPERTY = {row.key.rpartition(".")[2]: row for row in FAMILY}
_KEY = re.compile(rf"attribute\.({NAME})\.({'|'.join(_BY_PROPERTY)})")


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of users as the configuration declares it; ``mask`` is empty where it is shown as it is."""

    name: str
    type: Type
    choices: tuple[str, ...] = ()
    label: str = ""
    mask: str = ""
    maximum: int = VALUE_MAX


def setting(key: str) -> Setting | None:
    """Return the setting ``key`` of the family; None where it is none of it."""
    found = _KEY.fullmatch(key)
    return replace(_BY_PROPERTY[found[2]], key=key) if found else None


def properties(begun: str) -> tuple[Setting, ...]:
    """Return the settings of the attribute with whose name, whole, the key ``begun`` begins."""
    name = begun.removeprefix(PREFIX).partition(".")[0]
    if not begun.startswith(PREFIX) or not re.fullmatch(NAME, name):
        return ()
    return tuple(replace(row, key=f"{PREFIX}{name}.{property_}") for property_, row in _BY_PROPERTY.items())


def names(key: str) -> bool:
    """Tell whether ``key`` is that of an attribute itself, ``attribute.NAME``."""
    return key.startswith(PREFIX) and re.fullmatch(NAME, key.removeprefix(PREFIX)) is not None


def head(key: str) -> str:
    """Return ``attribute.NAME`` of a key of the family, else an empty text."""
    return key.rpartition(".")[0] if key.startswith(PREFIX) and _KEY.fullmatch(key) else ""


def latest(found: list[Found]) -> list[Found]:
    """Return ``found``, the later the stronger, without what an attribute was in files before the last that has it."""
    last = {attribute: _file(origin) for key, _value, origin in found if (attribute := head(key))}
    return [one for one in found if not (attribute := head(one[0])) or last[attribute] == _file(one[2])]


def _file(origin: str | ConfigFile) -> str:
    return origin.rpartition(":")[0] if isinstance(origin, str) else str(origin.path)


# -- what is wrong -------------------------------------------------------------------------------------------------


def unknown(where: str, key: str, raw: object) -> Problem:
    """Return what is wrong with a key below ``[attribute]`` that is none of the family."""
    name, dot, rest = key.removeprefix(PREFIX).partition(".")
    if not re.fullmatch(NAME, name):
        text = _("the name of an attribute is a lower-case letter, then such letters, digits and _, {n} at most")
        return Problem(where, cut(key), text.format(n=NAME_MAX))
    if not dot:
        text = _("it has no type") if raw == {} else _("it is a section, written [{key}]").format(key=key)
        return Problem(where, key, text)
    meant = nearest(rest, _BY_PROPERTY)
    hint = N_("did you mean {nearest}?") if meant else ""
    return Problem(where, cut(key), _("there is no such setting"), hint, f"{PREFIX}{name}.{meant}" if meant else "")


def judged(items: Iterable[Found | Problem], file: ConfigFile) -> list[Problem]:
    """Return what is wrong with the attributes of a ``file`` as wholes, where each of their settings is right."""
    items = list(items)
    spoilt = {head(item.key) for item in items if isinstance(item, Problem)}
    found = _by_attribute({item[0]: item[1] for item in items if not isinstance(item, Problem)})
    problems = [
        Problem(file.place(f"{PREFIX}{name}.{next(iter(properties))}"), PREFIX + name, text)
        for name, properties in found.items()
        if PREFIX + name not in spoilt and (text := fault(properties))
    ]
    if len(found) > MOST:
        problems.append(Problem(str(file.path), "", _("it declares more than {n} attributes").format(n=MOST)))
    return problems


def incomplete(values: Mapping[str, object], attribute: str) -> str:
    """Say what is wrong with ``attribute.NAME`` as a whole in ``values``, raw ones of a file; empty: nothing."""
    properties = {}
    for key, raw in values.items():
        row = setting(key) if head(key) == attribute else None
        if row is not None:
            try:
                properties[key.rpartition(".")[2]] = check(row, raw)
            except Invalid as refusal:
                return str(refusal.facts["problem"])
    return fault(properties) if properties else ""


def fault(properties: Mapping[str, Value]) -> str:
    """Say what is wrong with an attribute whose settings are each right; empty: nothing."""
    choices, label = cast("tuple[str, ...]", properties.get("choices", ())), str(properties.get("label", ""))
    kind = _type(properties)
    if not kind:
        return _("it has no type")
    if kind == "choice":
        return _fault_of_choices(choices) or _fault_of_label(label)
    if choices:
        return _("only one of the type choice has choices")
    if "maximum" in properties and kind != "text":
        return _("only one of the type text has a maximum")
    return _fault_of_label(label)


def _fault_of_label(label: str) -> str:
    return _("its label is longer than {n} characters").format(n=WORD_MAX) if len(label) > WORD_MAX else ""


def _fault_of_choices(choices: tuple[str, ...]) -> str:
    if not choices:
        return _("it has no choices")
    if len(choices) > CHOICES_MAX:
        return _("it has more than {n} choices").format(n=CHOICES_MAX)
    if any(word != word.strip() or not 0 < len(word) <= WORD_MAX for word in choices):
        return _("a choice is 1 to {n} characters, without blanks around it").format(n=WORD_MAX)
    if len({word.casefold() for word in choices}) < len(choices):
        return _("two of its choices are the same but for case")
    return ""


# -- what is declared ----------------------------------------------------------------------------------------------


def declared(values: Mapping[str, Value]) -> dict[str, Attribute]:
    """Return the attributes that settings declare, without those that are wrong, as a lenient call may have them."""
    return {
        name: _attribute(name, properties)
        for name, properties in _by_attribute(values).items()
        if not fault(properties)
    }


def _by_attribute(values: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    for key, value in values.items():
        if match := _KEY.fullmatch(key):
            found.setdefault(match[1], {})[match[2]] = value
    return found


def _type(properties: Mapping[str, Value]) -> Type | Literal[""]:
    given = properties.get("type") or ("choice" if properties.get("choices") else "")
    return cast("Type", given)


def _attribute(name: str, properties: Mapping[str, Value]) -> Attribute:
    values = {key: properties.get(key, row.default) for key, row in _BY_PROPERTY.items()}
    mask = str(values["mask"])
    return Attribute(
        name,
        cast("Type", _type(properties)),
        choices=cast("tuple[str, ...]", values["choices"]),
        label=str(values["label"]),
        mask="" if mask == NO_MASK else mask,
        maximum=cast("int", values["maximum"]),
    )
