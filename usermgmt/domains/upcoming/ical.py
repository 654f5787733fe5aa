"""Things that fall due as a calendar (RFC 5545); one event each, which keeps its UID when its time is changed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from usermgmt import __version__
from usermgmt.domains.upcoming.views import KINDS
from usermgmt.kernel.i18n import _
from usermgmt.kernel.text import neutral

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from usermgmt.kernel.jobs import Due

_WIDTH = 75
"""Octets of a line, without its end (RFC 5545 section 3.1)."""
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,"})


def calendar(every: Generator[Due], *, store: str, now: str) -> Iterator[bytes]:
    """Yield the lines of the calendar; ``now`` is when it is made."""
    yield from _lines("BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//usermgmt//usermgmt {__version__}//EN")
    with closing(every):
        for due in every:
            what = _("{name}: {what}").format(name=neutral(due.name), what=_(KINDS.get(due.kind, due.kind)))
            yield from _lines(
                "BEGIN:VEVENT",
                f"UID:{_text(f'{due.kind}:{due.target}@{store}')}",
                f"DTSTAMP:{_time(now)}",
                f"DTSTART:{_time(due.at)}",
                f"SUMMARY:{_text(what)}",
                f"CATEGORIES:{_text(due.kind)}",
                "END:VEVENT",
            )
    yield from _lines("END:VCALENDAR")


def _text(value: str) -> str:
    # line breaks are gone already: neutral() writes them out
    return value.translate(_ESCAPED)


def _time(moment: str) -> str:
    return moment[:19].replace("-", "").replace(":", "") + "Z"


def _lines(*lines: str) -> Iterator[bytes]:
    for line in lines:
        yield b"\r\n ".join(_folded(line.encode("utf-8", "backslashreplace"))) + b"\r\n"


def _folded(line: bytes) -> Iterator[bytes]:
    """Yield pieces of a line that fit where one blank stands before each but the first, and split no character."""
    room = _WIDTH
    while len(line) > room:
        end = room
        while line[end] & 0xC0 == 0x80:
            end -= 1
        yield line[:end]
        line, room = line[end:], _WIDTH - 1
    yield line
