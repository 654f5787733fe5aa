"""How cells are called: A1 is the first column of the first row."""

from __future__ import annotations

import re

REFERENCE = re.compile("([A-Z]{1,3})[0-9]{1,7}")


def letters(column: int) -> str:
    """Return the name of a column, which is counted from 0."""
    text, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        text = chr(65 + letter) + text
    return text


def number(name: str) -> int:
    """Return the column that is called ``name``."""
    found = 0
    for letter in name:
        found = found * 26 + ord(letter) - 64
    return found - 1
