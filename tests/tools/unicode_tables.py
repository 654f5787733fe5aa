"""Write usermgmt/domains/user/confusables.tsv from the files of the Unicode Consortium.

usage: unicode_tables.py CONFUSABLES SCRIPTS DERIVED_CORE_PROPERTIES LICENSE > confusables.tsv

CONFUSABLES is security/confusables.txt (UTS 39), the other two are of the Unicode Character Database, all of one
version; LICENSE holds the Unicode licence, which is copied into the table. Debian 12 has them: the package
unicode-data (15.0.0) and, for confusables.txt and LICENSE, the source package icu (72.1).
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROW = re.compile(r"^([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*([^;#]+?)\s*(?:[;#]|$)", re.MULTILINE)
_VERSION = re.compile(r"^# (?:Version: |\w+-)(\d+\.\d+\.\d+)", re.MULTILINE)


def rows(text: str) -> Iterator[tuple[int, int, str]]:
    for first, last, value in _ROW.findall(text):
        yield int(first, 16), int(last or first, 16), value


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def shown(ranges: Iterable[tuple[int, int]]) -> str:
    return " ".join(f"{first:X}" if first == last else f"{first:X}-{last:X}" for first, last in merged(ranges))


def scripted(text: str) -> Iterator[str]:
    ordered = sorted(rows(text), key=lambda row: row[2])
    for script, group in groupby(ordered, key=lambda row: row[2]):
        yield f"{script}\t{shown((first, last) for first, last, _ in group)}"


def escaped(points: Iterable[int]) -> str:
    return "".join(f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}" for point in points)


def prototypes(text: str) -> Iterator[str]:
    ordered = sorted(rows(text), key=lambda row: (row[2], row[0]))
    for prototype, group in groupby(ordered, key=lambda row: row[2]):
        target = escaped(int(point, 16) for point in prototype.split())
        yield f"{target}\t{escaped(source for source, _, _ in group)}"


def version(*texts: str) -> str:
    found = {match[1] if (match := _VERSION.search(text)) else "none" for text in texts}
    if len(found) != 1 or "none" in found:
        raise SystemExit(f"the files are not of one Unicode version: {sorted(found)}")
    return found.pop()


def notice(licence: str) -> list[str]:
    own = re.split(r"^-{10,}$", licence, maxsplit=1, flags=re.MULTILINE)[0]
    return [f"# {line}".rstrip() for line in own.strip().splitlines()]


def table(confusables: str, scripts: str, derived: str, licence: str) -> str:
    number = version(confusables, scripts, derived)
    ignorable = ((a, b) for a, b, name in rows(derived) if name == "Default_Ignorable_Code_Point")
    lines = [
        f"# Unicode {number}: default ignorable code points, prototypes of confusables (UTS 39), scripts (UAX 24)",
        "# Made from DerivedCoreProperties.txt, confusables.txt and Scripts.txt by tests/tools/unicode_tables.py,",
        "# which regroups the data by value and changes none of it. Code points are hexadecimal, ranges inclusive;",
        "# a line of prototypes is the prototype, a tab, and the characters that look like it, as Python escapes.",
        "#",
        *notice(licence),
        "[version]",
        number,
        "[ignorable]",
        shown(ignorable),
        "[prototypes]",
        *prototypes(confusables),
        "[scripts]",
        *scripted(scripts),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    sys.stdout.write(table(*(Path(name).read_text(encoding="utf-8-sig") for name in sys.argv[1:])))
