r"""The lines of a text that comes in pieces, bounded; a line ends with ``\n``, ``\r\n`` or a lone ``\r``."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def lines(pieces: Iterator[str], limit: int) -> Iterator[str]:
    """Yield the lines of ``pieces`` with their ends.

    A line beyond ``limit`` characters is yielded cut, still longer than ``limit``, so that whoever reads it refuses it
    before more of it is in memory.
    """
    rest = ""
    for piece in pieces:
        text = rest + piece
        # a \r that ends the piece may be half of \r\n
        cut = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
        if cut:
            # newline="": split at all three line ends, translate none, and at nothing else (not U+2028, not form feeds)
            yield from StringIO(text[:cut], newline="")
            rest = text[cut:]
        else:
            rest = text
        if len(rest) > limit:
            yield rest
            return
    if rest:
        yield from StringIO(rest, newline="")
