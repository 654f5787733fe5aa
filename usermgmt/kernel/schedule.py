"""When a job is due: at slots that follow from the calendar alone, so that everybody agrees which one it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day, at the hour and minute ``at`` (``HH:MM``) of ``time.zone``.

    A time that a day leaves out, as clocks go forward, is the moment at which they do; of one that comes twice it is
    the first.
    """

    at: str = "00:00"

    def latest(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return the last slot up to ``now``; None where the calendar has none."""
        try:
            day = now.astimezone(zone).date()
            slot = self._slot(day, zone)
            return slot if slot <= now else self._slot(day - timedelta(days=1), zone)
        except OverflowError:
            return None

    def after(self, slot: datetime, zone: tzinfo) -> datetime | None:
        """Return the slot that follows ``slot``; None where the calendar ends."""
        try:
            day = slot.astimezone(zone).date()
            while (found := self._slot(day, zone)) <= slot:
                day += timedelta(days=1)
        except OverflowError:
            return None
        return found

    def _slot(self, day: date, zone: tzinfo) -> datetime:
        return datetime.combine(day, time.fromisoformat(self.at), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Every:
    """Again and again after so many ``seconds``, counted from the beginning of 1970 in UTC."""

    seconds: int

    def latest(self, now: datetime, zone: tzinfo) -> datetime | None:  # noqa: ARG002 - as Daily's
        """Return the last slot up to ``now``."""
        return now - (now - _EPOCH) % timedelta(seconds=self.seconds)

    def after(self, slot: datetime, zone: tzinfo) -> datetime | None:  # noqa: ARG002 - as Daily's
        """Return the slot that follows ``slot``; None where the calendar ends."""
        try:
            return slot + timedelta(seconds=self.seconds)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class EachTick:
    """Whenever a tick comes: the job itself knows what has been done, and has no slots."""


Schedule = Daily | Every | EachTick
