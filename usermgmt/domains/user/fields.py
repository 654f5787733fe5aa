"""Field values as people and files write them, read into what the store keeps; each field has one reader."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from usermgmt.domains.user import identifiers, units
from usermgmt.domains.user.types import (
    EXTERNAL_ID_MAX,
    NOTE_MAX,
    SYSTEM_MAX,
    TAG_MAX,
    TEXT_LIMITS,
    AddressKind,
    Gender,
    Kind,
    Status,
)
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.text import unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from enum import StrEnum

    from usermgmt.kernel.context import Context

_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
# the year first, as ISO 8601, spreadsheets and Chinese texts have it: nothing else says which number is the month
_DATE = re.compile(r"([0-9]{4})(?:([-/.])|年)([0-9]{1,2})(?(2)\2|月)([0-9]{1,2})(?(2)|日)")
_SYSTEM = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{SYSTEM_MAX - 1}}}")
_UID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OLDEST = "1850-01-01"
_NEVER_EMPTY = frozenset({"uid", "username", "kind", "status", "status_at", "created_at"})


class InvalidField(Invalid):
    """{field}: {problem}"""

    code = "user.field"


def text(value: str, field: str, *, limit: int | None = None, lines: bool = False) -> str:
    """Return ``value`` as it is, or raise ``InvalidField`` where it cannot be kept: controls, or too long."""
    limit = limit or TEXT_LIMITS[field]
    if bad := unstorable(value, lines=lines):
        raise InvalidField(field=field, problem=_("{char} cannot be stored").format(char=bad))
    if len(value) > limit:
        raise InvalidField(field=field, problem=_("it is longer than {n} characters").format(n=limit))
    return value


def _choice(enum: type[StrEnum], value: str, field: str) -> str:
    found = value.strip().lower()
    if found not in tuple(enum):
        names = ", ".join(enum)
        raise InvalidField(field=field, problem=_("it must be one of {choices}").format(choices=names))
    return found


def uid(value: str) -> str:
    """Return a UUID (RFC 9562) in its canonical form; raises ``InvalidField``."""
    found = value.strip().lower()
    if not _UID.fullmatch(found):
        raise InvalidField(field="uid", problem=_("it is not a UUID"))
    return found


def status(value: str) -> str:
    """Return a status that an account can be given; raises ``InvalidField``, also for one that was erased."""
    found = _choice(Status, value, "status")
    if found == Status.ERASED:
        raise InvalidField(field="status", problem=_("an erased account cannot be made"))
    return found


def day(value: str, field: str) -> str:
    """Return a date as ``YYYY-MM-DD``, also of ``1991/2/3`` and ``1991年2月3日``; raises ``InvalidField``."""
    # full-width digits too
    parts = _DATE.fullmatch(unicodedata.normalize("NFKC", value.strip()))
    try:
        if parts is None:
            raise ValueError
        return date(*map(int, parts.group(1, 3, 4))).isoformat()
    except ValueError:
        raise InvalidField(field=field, problem=_("it is not a date"), hint=N_("write YYYY-MM-DD")) from None


def birth_date(value: str, today: str) -> str:
    """Return a birth date as ``day`` does; raises ``InvalidField`` for none, one to come, or one before 1850."""
    found = day(value, "birth_date")
    if found > today:
        raise InvalidField(field="birth_date", problem=_("it lies in the future"))
    if found < _OLDEST:
        raise InvalidField(field="birth_date", problem=_("it lies before 1850"))
    return found


def locale(value: str) -> str:
    """Return a language tag such as ``zh-CN`` (BCP 47 in outline); raises ``InvalidField``."""
    found = value.strip()
    if not _LOCALE.fullmatch(found) or len(found) > TEXT_LIMITS["locale"]:
        raise InvalidField(field="locale", problem=_("it is not a language tag"), hint=N_("write it as zh-CN or en"))
    return found.replace("_", "-")


@cache
def _zones() -> set[str]:
    from zoneinfo import available_timezones

    return available_timezones()


def time_zone(value: str) -> str:
    """Return the name of a zone of the IANA database; raises ``InvalidField``."""
    found = value.strip()
    if found not in _zones():
        raise InvalidField(
            field="time_zone", problem=_("it is not a time zone"), hint=N_("write it as Asia/Shanghai or UTC")
        )
    return found


def tag(value: str) -> str:
    """Return a tag: no blanks around it, no comma or semicolon, which separate tags in files."""
    found = text(value.strip(), "tag", limit=TAG_MAX)
    if not found or "," in found or ";" in found:
        raise InvalidField(field="tag", problem=_("it is empty, or holds a comma or semicolon"))
    return found


def is_system(name: str) -> bool:
    """Tell whether ``name`` can be that of another system."""
    return _SYSTEM.fullmatch(name) is not None


def external_id(value: str) -> tuple[str, str]:
    """Return ``SYSTEM/ID`` as its two halves; raises ``InvalidField``."""
    system, slash, found = value.partition("/")
    system = system.strip().lower()
    if not slash or not is_system(system) or not found.strip():
        raise InvalidField(
            field="external_id",
            problem=_("it is not SYSTEM/ID"),
            hint=N_("write it as ldap/4711; systems are lower case"),
        )
    return system, text(found.strip(), "external_id", limit=EXTERNAL_ID_MAX)


def external_ids(items: Iterable[str]) -> dict[str, str]:
    """Return ``SYSTEM/ID`` texts as system -> id; raises ``InvalidField``, also for two ids in one system."""
    found: dict[str, str] = {}
    for item in items:
        system, value = external_id(item)
        if found.setdefault(system, value) != value:
            problem = _("there are two ids for the system {name}").format(name=system)
            raise InvalidField(field="external_id", problem=problem)
    return found


def address(value: str, region: str | None) -> tuple[str, str]:
    """Return ``email:A@B`` or ``phone:NUMBER`` as kind and normal form; raises ``Invalid``."""
    kind, colon, found = value.partition(":")
    if not colon or kind not in tuple(AddressKind):
        raise InvalidField(field="address", problem=_("it is not email:... or phone:..."))
    if kind == AddressKind.EMAIL:
        return kind, identifiers.email(found.strip()).display
    return kind, identifiers.phone(found, region or "")


def note(value: str) -> str:
    """Return a note; line breaks are kept. Raises ``InvalidField``."""
    found = text(value.rstrip("\n"), "note", limit=NOTE_MAX, lines=True)
    if not found.strip():
        raise InvalidField(field="note", problem=_("it is empty"))
    return found


class Reader:
    """Reads field values for one invocation; ``region`` is the store's."""

    def __init__(self, ctx: Context, region: str | None) -> None:
        self.ctx = ctx
        self.region = region
        self.today = ctx.today
        self._readers: dict[str, Callable[[str], dict[str, Any]]] = {
            "username": self._username,
            "email": self._email,
            "phone": lambda value: {"phone": identifiers.phone(value, region or "")},
            "gender": lambda value: {"gender": _choice(Gender, value, "gender")},
            "kind": lambda value: {"kind": _choice(Kind, value, "kind")},
            "birth_date": lambda value: {"birth_date": birth_date(value, self.today)},
            "locale": lambda value: {"locale": locale(value)},
            "time_zone": lambda value: {"time_zone": time_zone(value)},
            "valid_from": lambda value: {"valid_from": ctx.moment(value, "valid_from")},
            "valid_until": lambda value: {"valid_until": ctx.moment(value, "valid_until", "end")},
            "created_at": lambda value: {"created_at": ctx.moment(value, "created_at", direction="past")},
            "uid": lambda value: {"uid": uid(value)},
            "org": lambda value: {"org": units.find(ctx, value).uid},
            "status": lambda value: {"status": status(value)},
            "status_reason": lambda value: {"status_reason": text(value, "status_reason", lines=True)},
            "status_at": lambda value: {"status_at": ctx.moment(value, "status_at", direction="past")},
            "email_verified_at": lambda v: {"email_verified_at": ctx.moment(v, "email_verified_at", direction="past")},
            "phone_verified_at": lambda v: {"phone_verified_at": ctx.moment(v, "phone_verified_at", direction="past")},
        }

    def _username(self, value: str) -> dict[str, Any]:
        from usermgmt.domains.user.confusables import skeleton

        found = identifiers.username(value)
        return {"username": found.display, "username_norm": found.norm, "skeleton": skeleton(found.norm)}

    def _email(self, value: str) -> dict[str, Any]:
        found = identifiers.email(value.strip())
        return {"email": found.display, "email_norm": found.norm}

    def read(self, field: str, value: str) -> dict[str, Any]:
        """Return the columns that ``value`` sets; an empty one clears. Raises ``Invalid``."""
        if not value:
            return self._cleared(field)
        reader = self._readers.get(field)
        return reader(value) if reader is not None else {field: text(value, field)}

    def _cleared(self, field: str) -> dict[str, Any]:
        if field in _NEVER_EMPTY:
            raise InvalidField(field=field, problem=_("it cannot be empty"))
        return {"email": None, "email_norm": None} if field == "email" else {field: None}

    def read_all(self, given: Mapping[str, str | None]) -> dict[str, Any]:
        """Return the columns of every field that was given; None means that a field was not."""
        values: dict[str, Any] = {}
        for field, value in given.items():
            if value is not None:
                values |= self.read(field, value)
        return values


def pairs(items: Iterable[tuple[str, str]]) -> list[str]:
    """Return ``(system, id)`` or ``(kind, value)`` pairs as the sorted texts that views and the audit show."""
    return sorted(f"{left}:{right}" for left, right in items)
