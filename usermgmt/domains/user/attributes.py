"""Attributes that the configuration declares: their values read by type, edited, sought, and shown.

What is kept is canonical text: a whole number in decimal, ``true`` or ``false``, ``YYYY-MM-DD``, a choice as declared.
So a value does not depend on the configuration of the day: one whose attribute is declared no more, or otherwise, stays
what it is, is shown as text, and can be taken away.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from usermgmt.domains.user import fields
from usermgmt.domains.user.errors import UnknownAttribute
from usermgmt.kernel.cells import text_of
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.settings_attributes import NAME
from usermgmt.kernel.settings_values import cut, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from usermgmt.kernel.errors import UsermgmtError
    from usermgmt.kernel.settings_attributes import Attribute

    Declared = Mapping[str, Attribute]
    Values = dict[str, str]

ALL = ""
"""The name that stands in edits for every attribute they do not name."""

_WHOLE = re.compile("[+-]?[0-9]{1,19}")
_CANONICAL = re.compile("0|-?[1-9][0-9]{0,18}")
_BIGGEST = 2**63 - 1
_TRUTHS = {"true": "true", "yes": "true", "on": "true", "1": "true", "是": "true"}
_TRUTHS |= {"false": "false", "no": "false", "off": "false", "0": "false", "否": "false"}
_CONDITION = re.compile(rf"({NAME})(?:(>=|<=|=|<|>)(.*))?", re.DOTALL)


def known(declared: Declared, name: str) -> Attribute:
    """Return the attribute called ``name``; raises ``UnknownAttribute`` with the nearest."""
    if name in declared:
        return declared[name]
    meant = nearest(name, declared)
    if meant:
        raise UnknownAttribute(N_("did you mean {near}?"), name=cut(name), near=meant)
    if declared:
        raise UnknownAttribute(N_("one of {names}"), name=cut(name), names=", ".join(declared))
    raise UnknownAttribute(name=cut(name))


# -- reading -------------------------------------------------------------------------------------------------------


def read(attribute: Attribute, value: str) -> str:
    """Return a value as it is kept; raises ``InvalidField``."""
    field = f"attribute.{attribute.name}"
    match attribute.type:
        case "text":
            return fields.text(value, field, limit=attribute.maximum)
        case "integer":
            return _integer(value, field)
        case "boolean":
            return _boolean(value, field)
        case "date":
            return fields.day(value, field)
    return _choice(attribute, value, field)


def _integer(value: str, field: str) -> str:
    # full-width digits too
    found = unicodedata.normalize("NFKC", value.strip()[:100])
    if not _WHOLE.fullmatch(found):
        raise fields.InvalidField(field=field, problem=_("it is not a whole number"))
    if not -_BIGGEST <= int(found) <= _BIGGEST:
        raise fields.InvalidField(field=field, problem=_("it does not fit into 64 bits"))
    return str(int(found))


def _boolean(value: str, field: str) -> str:
    try:
        return _TRUTHS[value.strip().lower()]
    except KeyError:
        raise fields.InvalidField(
            N_("write true or false"), field=field, problem=_("it is neither yes nor no")
        ) from None


def _choice(attribute: Attribute, value: str, field: str) -> str:
    found = value.strip()
    if found in attribute.choices:
        return found
    folded = {word.casefold(): word for word in attribute.choices}
    if found.casefold() in folded:
        return folded[found.casefold()]
    problem = _("it must be one of {choices}").format(choices=cut(", ".join(attribute.choices)))
    meant = nearest(found, attribute.choices)
    hint = N_("did you mean {near}?") if meant else ""
    raise fields.InvalidField(hint, field=field, problem=problem, near=meant)


def number(value: str) -> int | None:
    """Return the whole number that a kept value is, None where it is none; the column of that name holds it."""
    found = int(value) if _CANONICAL.fullmatch(value) else None
    return found if found is not None and -_BIGGEST <= found <= _BIGGEST else None


# -- edits ---------------------------------------------------------------------------------------------------------


def pairs(declared: Declared, items: Iterable[str]) -> dict[str, str | None]:
    """Return ``NAME=VALUE`` texts as edits; an empty value takes the attribute away.

    Raises ``InvalidField``, also for two values of one attribute, and ``UnknownAttribute``.
    """
    found: dict[str, str | None] = {}
    for item in items:
        name, equals, value = item.partition("=")
        name = name.strip()
        if not equals or not name:
            hint = N_("write it as department=sales")
            raise fields.InvalidField(hint, field="attribute", problem=_("it is not NAME=VALUE"))
        made = read(known(declared, name), value) if value else None
        if found.setdefault(name, made) != made:
            problem = _("there are two values for {name}").format(name=cut(name))
            raise fields.InvalidField(field="attribute", problem=problem)
    return found


def read_object(
    declared: Declared, given: Mapping[str, Any], *, clears: bool
) -> tuple[dict[str, str | None], dict[str, UsermgmtError]]:
    """Return the attributes that a record gives as edits, and those of them that cannot be given, as they stand there.

    Empty ones are left alone, or with ``clears`` taken away.
    """
    found: dict[str, str | None] = {}
    doubts: dict[str, UsermgmtError] = {}
    for name, value in given.items():
        text = text_of(value)
        if not text:
            found |= {name: None} if clears else {}
            continue
        try:
            found[name] = read(known(declared, name), text)
        except (fields.InvalidField, UnknownAttribute) as error:
            # its frames would keep the whole chunk alive
            error.__traceback__ = None
            found[name], doubts[name] = text, error
    return found, doubts


def merged(before: Mapping[str, str], edits: Mapping[str, str | None]) -> Values:
    """Return the attributes ``before`` as ``edits`` make them: those not named stay, None takes one away."""
    kept = {} if ALL in edits else before
    both = {**kept, **edits}
    return {name: value for name, value in sorted(both.items()) if value is not None}


# -- finding -------------------------------------------------------------------------------------------------------


def condition(declared: Declared, text: str, is_held: Callable[[str], bool]) -> tuple[str, str, str | int | None]:
    """Read ``NAME``, ``NAME=VALUE``, ``NAME>=VALUE`` and the like as name, relation and value; ``NAME`` is any value.

    ``is_held`` tells whether somebody has an attribute: one that is declared no more is then compared as text.
    Raises ``InvalidField``, ``UnknownAttribute``.
    """
    match = _CONDITION.fullmatch(text)
    name, op, value = match.groups() if match else (text.partition("=")[0], "=", "")
    if name not in declared and match and is_held(name):
        if op in (None, "="):
            return name, op or "any", value
        raise _unordered(name)
    attribute = known(declared, name)
    if op is None:
        return name, "any", None
    if op != "=" and attribute.type not in ("integer", "date"):
        raise _unordered(name)
    if not value:
        hint = N_("{name} alone chooses all who have it")
        raise fields.InvalidField(hint, field=f"attribute.{name}", problem=_("the value is missing"), name=name)
    made = read(attribute, value)
    return name, op, int(made) if attribute.type == "integer" and op != "=" else made


def _unordered(name: str) -> fields.InvalidField:
    problem = _("only whole numbers and dates have an order")
    return fields.InvalidField(field=f"attribute.{name}", problem=problem)


def searched(declared: Declared) -> tuple[str, ...]:
    """Return the names of the attributes in whose values a search looks."""
    return tuple(one.name for one in declared.values() if one.type in ("text", "choice"))


# -- showing -------------------------------------------------------------------------------------------------------


def typed(declared: Declared, values: Mapping[str, str]) -> dict[str, Any]:
    """Return kept values as answers show them: whole numbers and truths as such, the rest as text."""
    return {name: _typed(declared.get(name), value) for name, value in values.items()}


def _typed(attribute: Attribute | None, value: str) -> Any:
    kind = attribute.type if attribute is not None else ""
    if kind == "integer" and (found := number(value)) is not None:
        return found
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
