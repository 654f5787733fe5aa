"""How words for people are laid out on a terminal: wrapped by cells, in sections and two columns."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from usermgmt.kernel.streams import Streams

NARROWEST, WIDEST, USUAL = 40, 100, 80
_LEFT = 30
_GAP = 2
# Chinese breaks between any two characters, but no line begins with these, and none ends with the others
_NOT_FIRST = "，。；：、！？）」』”’》】〉…,.;:!?)]}"
_NOT_LAST = "（「『“‘《【〈([{"


def width(env: Mapping[str, str], streams: Streams) -> int:
    """Return how many cells a line of help may have: the terminal's width, at most 100, and 80 where nobody knows it.

    ``TERMINAL_WIDTH`` and ``COLUMNS`` win over the terminal.
    """
    for name in ("TERMINAL_WIDTH", "COLUMNS"):
        text = env.get(name, "")
        if text.isascii() and text.isdecimal() and 0 < len(text) <= 5 and int(text):
            return max(NARROWEST, min(int(text), WIDEST))
    return max(NARROWEST, min(_terminal(streams) or USUAL, WIDEST))


def _terminal(streams: Streams) -> int:
    import os

    stream = streams.stdout if streams.stdout_tty else streams.stderr if streams.stderr_tty else None
    try:
        # a pseudo-terminal that nobody told its size has none
        return os.get_terminal_size(stream.fileno()).columns if stream else 0
    except OSError:
        return 0


def cells(text: str) -> int:
    """Return how many cells of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrap(text: str, size: int) -> Iterator[str]:
    """Cut ``text`` into lines of at most ``size`` cells: at spaces, and between wide characters."""
    line, used = "", 0
    for space, piece in _pieces(text):
        need = cells(piece)
        if line and used + len(space) + need > size:
            yield line
            line, used = piece, need
        else:
            line += (space if line else "") + piece
            used += (len(space) if used else 0) + need
    yield line


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield what must stay together, each with the space before it."""
    for word in text.split():
        space, piece = " ", ""
        for char in word:
            if piece and may_part(piece[-1], char):
                yield space, piece
                space, piece = "", ""
            piece += char
        yield space, piece


def may_part(before: str, after: str) -> bool:
    """Tell whether a line of Chinese may end between two characters that no space parts."""
    return (_wide(before) or _wide(after)) and after not in _NOT_FIRST and before not in _NOT_LAST


def _wide(char: str) -> bool:
    return not char.isascii() and unicodedata.east_asian_width(char) in "WF"


def paragraphs(text: str, size: int) -> str:
    """Return ``text`` wrapped, its paragraphs a blank line apart."""
    return "\n\n".join("\n".join(wrap(one, size)) for one in re.split(r"\n\s*\n", text.strip()))


def section(title: str, rows: Sequence[tuple[str, str]], size: int) -> str:
    """Return a titled list of two columns; a long left side stands on a line of its own."""
    return f"{_('{title}:').format(title=title)}\n{table(rows, size)}"


def table(rows: Sequence[tuple[str, str]], size: int) -> str:
    """Return two columns, the right one wrapped."""
    most = min(_LEFT, size // 2)
    fitting = [cells(left) for left, _right in rows if cells(left) <= most]
    return "\n".join(_rows(rows, max(fitting, default=most), size))


def _rows(rows: Iterable[tuple[str, str]], left_size: int, size: int) -> Iterator[str]:
    indent = " " * (left_size + 2 * _GAP)
    for left, right in rows:
        first, *rest = wrap(right, size - len(indent))
        padding = " " * (left_size - cells(left) + _GAP)
        if cells(left) > left_size:
            yield f"  {left}"
            yield f"{indent}{first}".rstrip()
        else:
            yield f"  {left}{padding}{first}".rstrip()
        yield from (indent + line for line in rest)


def usage(prefix: str, pieces: Iterable[str], size: int) -> str:
    """Return a usage line; its continuation is indented below the first argument."""
    first, *rest = pieces
    # a full-width colon has its space in it
    first = prefix + (" " if prefix.isascii() else "") + first
    indent = " " * (cells(first) + 1)
    lines = wrap(" ".join(piece.replace(" ", "\x1f") for piece in rest), max(size - len(indent), _LEFT))
    words = [line.replace("\x1f", " ") for line in lines]
    return f"{first} " + ("\n" + indent).join(words) if rest else first
