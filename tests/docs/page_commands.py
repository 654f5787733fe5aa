"""The commands that a page of the manual shows, and whether the program has them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from test_conventions import parsed

from usermgmt.domains.help.topics import BY_NAME
from usermgmt.groups import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_TEXT = re.compile(r"`usermgmt ([a-z][^`]*)`")
# a line of an example may begin with what runs the program: sudo -u usermgmt usermgmt ...
_IN_EXAMPLE = re.compile(r"^ {4,}(?:.*\s)?usermgmt (?!usermgmt )((?:--store \S+ )?[a-z].*)$", re.MULTILINE)


def commands(page: str) -> list[list[str]]:
    """Return the words of each command, in the order of the page's text and then of its examples."""
    found = _IN_TEXT.findall(page) + _IN_EXAMPLE.findall(page)
    return [shlex.split(re.split(r" [<>] ", command)[0], comments=True) for command in found]


def check(page: str) -> Iterator[str]:
    """Parse each command as the program does, topics of the manual too; yield what each is."""
    for words in commands(page):
        if words[0] == "help":
            assert words[1] in BY_NAME or words[1] in {row.name for row in GROUPS}, words
        yield parsed(words)
