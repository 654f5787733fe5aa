"""Text as roff in ``man(7)`` macros, in ASCII, that groff and mandoc read alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from usermgmt.kernel.layout import may_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# what roff reads as a command, or a terminal would be shown as a typographer's character that nobody can paste
_ESCAPES = {
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
}
_BULLET = re.compile(r"(?:[-*]|\d+\.) +")
_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LONGEST_WORD = 60
_PAUSE = r"\:"
_MARKED = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\([^)]+\)")


def escaped(text: str) -> str:
    """Return ``text`` so that roff shows it as it stands; it may begin a line."""
    made = "".join(map(_char, " " + text, text))
    return rf"\&{made}" if made[:1] == "." else made


def _char(before: str, char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isascii():
        return char if char.isprintable() else " "
    # roff does not know where a line of Chinese may end
    return rf"{_PAUSE if may_part(before, char) and before != ' ' else ''}\[u{ord(char):04X}]"


def bold(text: str) -> str:
    """Return ``text`` in bold type."""
    return rf"\fB{escaped(text)}\fR"


def italic(text: str) -> str:
    """Return ``text`` in italic type, which terminals underline."""
    return rf"\fI{escaped(text)}\fR"


def title(name: str, section: int, version: str, manual: str) -> str:
    """Return the head of a page; without a date, so that the same source gives the same page."""
    # words are names and options, which nobody wants hyphenated or spread out
    return f'.TH {escaped(name.upper())} {section} "" "{escaped(version)}" "{escaped(manual)}"\n.nh\n.ad l'


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f'.SH "{escaped(text)}"'


def subheading(text: str) -> str:
    """Return the heading of a part of a section."""
    return f'.SS "{escaped(text)}"'


def tagged(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a list of terms; the left sides are roff already, the right sides plain text."""
    for left, right in rows:
        yield f".TP\n{left}\n{escaped(' '.join(right.split())) or chr(92) + '&'}"


def literal(lines: Iterable[str]) -> str:
    """Return lines that are shown as they are."""
    return "\n".join([".PP", ".RS 4", ".nf", *(escaped(line) or r"\&" for line in lines), ".fi", ".RE"])


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of plain ``text``."""
    for one in re.split(r"\n\s*\n", text.strip()):
        yield f".PP\n{escaped(' '.join(one.split()))}"


# -- pages written in Markdown -----------------------------------------------------------------------------------------


def of_markdown(text: str) -> Iterator[str]:
    """Yield the blocks of a page as the manual's pages are written: headings, paragraphs, lists, tables, code."""
    for fenced, part in enumerate(_FENCE.split(re.sub(r"\A# .*\n", "", text))):
        if fenced % 2:
            yield literal(part.splitlines())
        elif part.strip():
            for block in re.split(r"\n\s*\n", part.strip("\n")):
                yield from _block(block)


def _block(block: str) -> Iterator[str]:
    lines = block.splitlines()
    if match := re.fullmatch(r"(#+) +(.*)", lines[0]):
        yield heading(match[2]) if len(match[1]) <= 2 else subheading(match[2])
        if lines[1:]:
            yield from _block("\n".join(lines[1:]))
    elif lines[0].startswith("    "):
        yield literal(line.removeprefix("    ") for line in lines)
    elif lines[0].startswith("|"):
        yield from _table(lines)
    elif _BULLET.match(lines[0]):
        items = re.split(r"\n\s*(?=(?:[-*]|\d+\.) )", block)
        yield from (f".IP {_sign(item)}\n{_words(_BULLET.sub('', item, count=1))}" for item in items)
    else:
        yield f".PP\n{_words(block)}"


NOTHING = r"\&"
"""A word of no width: where roff wants a line that is not blank."""


def _sign(item: str) -> str:
    number = re.match(r"\d+\.", item)
    return f"{number[0]} 4" if number else r"\(bu 2"


def _table(lines: list[str]) -> Iterator[str]:
    rows = [[_words(cell) for cell in _cells(line)] for line in (lines[0], *lines[2:])]
    heads = rows[0][1:]
    for first, *rest in rows[1:]:
        told = rest if len(heads) == 1 else [f"{head}: {cell}" for head, cell in zip(heads, rest, strict=True) if cell]
        yield f".TP\n{first or NOTHING}\n" + "\n.br\n".join(told)


def _cells(line: str) -> list[str]:
    """Return the cells of a table's row; a bar between backquotes separates nothing."""
    return re.split(r"\|(?=(?:[^`]*`[^`]*`)*[^`]*$)", line.strip().removeprefix("|").removesuffix("|"))


_MARKED_NEXT = re.compile(r"\\\[(?:u3001|uFF0C)\](?=\\fB)")
"""A Chinese comma before a word that is marked: a line may end there, where no blank says so."""


def _words(text: str) -> str:
    made, at = [], 0
    text = " ".join(text.split())
    for match in _MARKED.finditer(text):
        made += [escaped(text[at : match.start()]), _marked(match)]
        at = match.end()
    words = _MARKED_NEXT.sub(lambda stop: stop[0] + _PAUSE, "".join([*made, escaped(text[at:])]))
    return re.sub(r"\A\.", r"\\&.", words)


def _marked(match: re.Match[str]) -> str:
    code, strong, link = match.groups()
    if link:
        return escaped(link)
    if code and len(code) > _LONGEST_WORD and " " not in code:
        # a digest is wider than the column that it stands in
        return rf"\fB{escaped(code[:32])}{_PAUSE}{escaped(code[32:])}\fR"
    return bold(code or strong)
