"""Times as people write them: RFC 3339, a date, or a duration; the contract's grammar and nothing more."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from usermgmt.kernel.clock import to_text
from usermgmt.kernel.errors import Invalid
from usermgmt.kernel.i18n import N_

if TYPE_CHECKING:
    from datetime import tzinfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# RFC 3339 section 5.6; a time without a zone is refused, since nobody can say which one was meant
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})")

_LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)

Direction = Literal["past", "future"]
Edge = Literal["start", "end"]


class BadTime(Invalid):
    """{field}: {value} is not a time"""

    code = "time.invalid"
    hint = N_("write 2026-12-31, 2026-12-31T18:00:00Z, or a duration: 90d, 12h, 2w")


def duration(text: str) -> timedelta | None:
    """Return the duration ``90d``, ``12h``, ``2w``, ``30m``, ``45s``; None where it is none."""
    match = _DURATION.fullmatch(text)
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else None


def _start(day: date, edge: Edge, zone: tzinfo) -> datetime:
    if edge == "end" and day == date.max:
        # people write 9999-12-31 for never; the day after it does not exist
        return _LAST
    day += timedelta(days=1 if edge == "end" else 0)
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def moment(text: str, field: str, *, now: datetime, zone: tzinfo, edge: Edge, direction: Direction) -> str:
    """Return the canonical text of the time that a person wrote.

    A date is its start in ``zone`` where it begins something, the start of the next day where it ends it; a duration
    counts from ``now`` into ``direction``.

    Raises ``BadTime``.
    """
    text = text.strip()
    try:
        if (span := duration(text)) is not None:
            return to_text(now - span if direction == "past" else now + span)
        if _DATE.fullmatch(text):
            return to_text(_start(date.fromisoformat(text), edge, zone))
        if _MOMENT.fullmatch(text):
            return to_text(datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    raise BadTime(field=field, value=text)
