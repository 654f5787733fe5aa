"""Names that look alike: the skeleton of UTS 39 and the scripts of a text, from a vendored table of Unicode.

The mechanism only; which likeness is refused and which is reported is for the service to say.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The Unicode version of the table. Skeletons are comparable only within one, so whoever stores them stores it too.
UNICODE_VERSION = "15.0.0"

Likeness = Literal["", "same-script", "whole-script", "mixed-script"]

_TABLE = Path(__file__).with_name("confusables.tsv")
_ANY_SCRIPT = frozenset({"Common", "Inherited"})
_ASCII_LETTER = re.compile("[A-Za-z]")
_LATIN = frozenset({"Latin"})
_NONE: frozenset[str] = frozenset()


def skeleton(text: str) -> str:
    """Return what ``text`` looks like: two texts are confusable where their skeletons are equal.

    UTS 39 section 4, ``internalSkeleton``: NFD, without default ignorables, each character replaced by its prototype,
    NFD again. For comparing only, never to be shown. It is the skeleton of the stored order: ``bidiSkeleton``, of the
    displayed order, would differ only for a right-to-left name that resembles a left-to-right one read backwards.
    """
    if text.isascii():
        return _ascii_skeleton(text)
    bare = _ignorable().sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFD", bare.translate(_prototypes()))


def _ascii_skeleton(text: str) -> str:
    # the eight ASCII rows of the table; no prototype holds a character that a later line replaces
    text = text.replace("m", "rn").replace("1", "l").replace("0", "O").replace("I", "l")
    return text.replace("|", "l").replace("`", "'").replace('"', "''").replace("%", "º/₀")


def scripts(text: str) -> frozenset[str]:
    """Return the scripts (UAX 24 long names) that ``text`` is written in, without Common and Inherited.

    A code point that the table does not know counts as ``Unknown``, as UAX 24 has it.
    """
    if text.isascii():
        return _LATIN if _ASCII_LETTER.search(text) else _NONE
    return frozenset(map(_script, text)) - _ANY_SCRIPT


def confusable(one: str, other: str) -> Likeness:
    """Tell whether two different normalised usernames look alike, and whether they differ in script.

    ``same-script``: both are written in the same scripts (UTS 39 section 4 asks for one script; here 张alice and
    张a1ice, both in Han and Latin, are alike in script too). ``whole-script``: each is in one script, and these
    differ. ``mixed-script``: they differ, and one of them mixes scripts. Empty where they are not alike, or equal.
    """
    if one == other or skeleton(one) != skeleton(other):
        return ""
    first, second = scripts(one), scripts(other)
    single = len(first) <= 1 and len(second) <= 1
    # digits and signs are of every script, so a name made of them alone differs in script from no single-script name
    if first == second or (single and not (first and second)):
        return "same-script"
    return "whole-script" if single else "mixed-script"


@cache
def _script(char: str) -> str:
    starts, ends, names = _script_ranges()
    point = ord(char)
    at = bisect_right(starts, point) - 1
    return names[at] if at >= 0 and point <= ends[at] else "Unknown"


@cache
def _prototypes() -> dict[int, str]:
    # escapes are decoded for all lines at once, which takes 4 ms; one by one it took 10, whenever the first 张三 came
    lines = _section("prototypes").encode().decode("unicode_escape").split("\n")
    # the prototype of U+1F16D holds a tab, so the last one divides
    rows = (line.rpartition("\t") for line in lines)
    return str.maketrans({source: prototype for prototype, _, sources in rows for source in sources})


@cache
def _ignorable() -> re.Pattern[str]:
    ranges = _ranges(_section("ignorable"))
    return re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges) + "]+")


@cache
def _script_ranges() -> tuple[list[int], list[int], list[str]]:
    lines = (line.partition("\t") for line in _section("scripts").split("\n"))
    rows = sorted((first, last, name) for name, _, ranges in lines for first, last in _ranges(ranges))
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _ranges(text: str) -> Iterator[tuple[int, int]]:
    for item in text.split():
        first, _, last = item.partition("-")
        yield int(first, 16), int(last or first, 16)


def _section(name: str) -> str:
    """Return one section of the table, whose headings are lines in brackets."""
    text = _TABLE.read_text(encoding="utf-8")
    return text.partition(f"\n[{name}]\n")[2].partition("\n[")[0].removesuffix("\n")
