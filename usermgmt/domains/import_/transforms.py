"""What a map file can have done to a value on its way from a column into a field: steps, each from text to text."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    Step = Callable[[str], str]
    DateReader = Callable[[str], date | None]

_REMEMBERED = 1 << 15
_DIRECTIVE = re.compile("%(.)")
_PATTERNS = {"Y": r"(?P<Y>\d{4})", **{key: rf"(?P<{key}>\d{{1,2}})" for key in "mdHMS"}, "%": "%"}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}.*)?")
_SERIAL = re.compile(r"\d{1,7}(\.\d{1,17})?")


class Refused(Exception):
    """A value that a step can make nothing of; the text says why, without the value, which may be personal."""


class Unfit(ValueError):
    """A step that a map file declares and nobody can take; the text says why."""


# -- steps -------------------------------------------------------------------------------------------------------------


def without_prefix(prefixes: Sequence[str]) -> Step:
    """Return the step that takes the first of ``prefixes`` away which a value has."""
    return lambda value: next((value[len(one) :] for one in prefixes if value.startswith(one)), value)


def without_suffix(suffixes: Sequence[str]) -> Step:
    """Return the step that takes the first of ``suffixes`` away which a value has."""
    return lambda value: next((value[: -len(one)] for one in suffixes if value.endswith(one)), value)


def looked_up(table: Mapping[str, str], known: Mapping[str, str], default: str | None) -> Step:
    """Return the step that gives what ``table`` has for a value, blanks around it aside.

    ``known`` are the words that the field knows anyhow, and their meanings. What is in neither becomes ``default``, or
    is refused without one.
    """
    meanings = set(known.values())

    def step(value: str) -> str:
        given = value.strip()
        if given in table:
            return table[given]
        plain = given.lower()
        if plain in known or plain in meanings:
            return known.get(plain, plain)
        if default is None:
            raise Refused(_("it is not in the table of values"))
        return default

    return step


# -- dates -------------------------------------------------------------------------------------------------------------


def date_in(formats: Sequence[str], zone: ZoneInfo | None) -> Step:
    """Return the step that reads a date, or a time in ``zone``, in whichever of ``formats`` it is written.

    A value that fits several of them and would be different dates is refused: nobody can say which one was meant.
    Raises ``Unfit``.
    """
    readers = [_date_reader(one) for one in formats]

    def step(value: str) -> str:
        given = value.strip()
        found = {_written(read, zone) for reader in readers if (read := reader(given)) is not None}
        if not found:
            raise Refused(_("it is in none of the date formats of its column"))
        if len(found) > 1:
            raise Refused(_("it fits several of the date formats, which make different dates of it"))
        return found.pop()

    return step


def _written(read: date, zone: ZoneInfo | None) -> str:
    if not isinstance(read, datetime):
        return read.isoformat()
    if read.tzinfo is None and zone is not None:
        read = read.replace(tzinfo=zone)
    midnight = read.tzinfo is None and (read.hour, read.minute, read.second, read.microsecond) == (0, 0, 0, 0)
    return read.date().isoformat() if midnight else read.isoformat()


def _date_reader(wanted: str) -> DateReader:
    if wanted == "iso":
        return _iso
    if wanted in ("excel", "excel-1904"):
        return lambda value: _serial(value, from_1904=wanted == "excel-1904")
    pattern = _compiled(wanted)
    timed = "%H" in wanted

    def read(value: str) -> date | None:
        match = pattern.fullmatch(value)
        if match is None:
            return None
        parts = {key: int(text) for key, text in match.groupdict().items()}
        try:
            day = date(parts["Y"], parts["m"], parts["d"])
            if not timed:
                return day
            return datetime(day.year, day.month, day.day, parts["H"], parts.get("M", 0), parts.get("S", 0))  # noqa: DTZ001
        except ValueError:
            return None

    return read


def _compiled(wanted: str) -> re.Pattern[str]:
    directives = [found[1] for found in _DIRECTIVE.finditer(wanted)]
    if "y" in directives:
        raise Unfit(_("a year of two digits is never guessed"))
    if bad := [one for one in directives if one not in _PATTERNS]:
        raise Unfit(_("the date format %{name} is unknown; there are %Y %m %d %H %M %S").format(name=bad[0]))
    if not {"Y", "m", "d"} <= set(directives) or len(directives) != len(set(directives)):
        raise Unfit(_("a date format has %Y, %m and %d once each, or is iso or excel"))
    parts = re.split("(%.)", wanted)
    made = ""
    for at, part in enumerate(parts):
        found = _PATTERNS[part[1]] if at % 2 else re.escape(part)
        # digits that follow one another at once: each has its full length, or 2026111 would be two dates
        tight = at % 2 and ((at > 1 and not parts[at - 1]) or (at + 2 < len(parts) and not parts[at + 1]))
        made += found.replace("{1,2}", "{2}") if tight else found
    return re.compile(made, re.ASCII)


def _iso(value: str) -> date | None:
    if not _ISO.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()) if len(value) > 10 else date.fromisoformat(value)
    except ValueError:
        return None


def _serial(value: str, *, from_1904: bool) -> date | None:
    from usermgmt.engines.tabular.xlsx.numbers import Kind, date_text

    if not _SERIAL.fullmatch(value):
        return None
    try:
        return _iso(date_text(value, Kind.DATE, from_1904=from_1904))
    except ValueError:
        return None


# -- values through steps ----------------------------------------------------------------------------------------------


class Steps:
    """Steps one after another, and at the end a split into parts; remembers what it made of values."""

    def __init__(self, steps: Sequence[Step], separator: str, parts: int) -> None:
        """Split at ``separator``, where there is one: into ``parts`` texts, or with 0 into a list."""
        self._steps = steps
        self._separator = separator
        self._parts = parts
        self._seen: dict[str, Any] = {}

    def __call__(self, value: str) -> Any:
        """Return what becomes of ``value``; raises ``Refused``."""
        found = self._seen.get(value)
        if found is None:
            if len(self._seen) > _REMEMBERED:
                self._seen.clear()
            found = self._seen[value] = self._made(value)
        return found

    def _made(self, value: str) -> Any:
        for step in self._steps:
            value = step(value)
        if not self._separator:
            return value
        parts = [part.strip() for part in value.split(self._separator)]
        if not self._parts:
            return [part for part in parts if part]
        if len(parts) > self._parts:
            raise Refused(_("it has {found} parts, and there are {n} fields").format(found=len(parts), n=self._parts))
        return [*parts, *[""] * (self._parts - len(parts))]
