"""Time, randomness and ids: injected, never asked of the system by a domain."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def to_text(moment: datetime) -> str:
    """Write ``moment`` (aware) as RFC 3339 in UTC with fixed milliseconds and ``Z``, as stored and printed."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z" if moment.year >= 1000 else _old(moment)


def _old(moment: datetime) -> str:
    # strftime does not pad years below 1000
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def from_text(text: str) -> datetime:
    """Read what ``to_text`` wrote."""
    return datetime.fromisoformat(text)


@dataclass(slots=True)
class Clock:
    """The wall clock in UTC, cut to milliseconds; ``fixed`` makes it stand still (``--now`` on a simulated store)."""

    fixed: datetime | None = None

    def now(self) -> datetime:
        """Return the present, aware, in UTC, in whole milliseconds."""
        if self.fixed is not None:
            return self.fixed
        milliseconds = time.time_ns() // 1_000_000
        return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)

    def text(self) -> str:
        """Return the present as stored text."""
        return to_text(self.now())


@dataclass(slots=True)
class Random:
    """Unpredictable bytes and ids; tests give their own ``source`` of bytes."""

    source: Callable[[int], bytes] = field(default=os.urandom)

    def bytes(self, count: int) -> bytes:
        """Return ``count`` unpredictable bytes."""
        return self.source(count)

    def uuid7(self, moment: datetime) -> str:
        """Return a UUID version 7 for ``moment`` (RFC 9562 section 5.7)."""
        return self.uuid7s(moment, 1)[0]

    def uuid7s(self, moment: datetime, count: int) -> list[str]:
        """Return ``count`` version 7 UUIDs for ``moment``, ascending, so that an index on them is filled in order.

        The 12 bits of ``rand_a`` and the upper bits of ``rand_b`` count up from a random start (RFC 9562 section 6.2,
        method 1: a fixed-length dedicated counter seeded with randomness).
        """
        milliseconds = int(moment.timestamp() * 1000)
        head = f"{milliseconds >> 16 & 0xFFFFFFFF:08x}-{milliseconds & 0xFFFF:04x}-7"
        noise = self.source(8 * count + 4)
        # 26 counter bits: 12 in rand_a, 14 in rand_b; started in the lower half so that a chunk never wraps
        start = int.from_bytes(noise[-4:], "big") & 0x1FFFFFF
        made = []
        for i in range(count):
            tick = start + i & 0x3FFFFFF
            tail = noise[8 * i : 8 * i + 6].hex()
            made.append(f"{head}{tick >> 14:03x}-{0x8000 | tick & 0x3FFF:04x}-{tail}")
        return made
