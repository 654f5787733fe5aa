"""Tables for people: columns as wide as the first rows need, the rest streamed in the same widths."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MEASURED = 500
_GAP = "  "
_NARROWEST = 8


def lines(
    labels: Sequence[str] | None,
    rows: Iterable[Sequence[str]],
    *,
    width: int = 0,
    bold: bool = False,
    measured: int | None = None,
) -> Iterator[str]:
    """Yield the lines of a table; ``width`` 0 means that nothing is shortened. Cells are neutralised already.

    ``measured`` is how many rows give the columns their widths, 500 unless told; where it is, what is wider runs over.
    """
    from rich.cells import cell_len

    stream = iter(rows)
    first = list(islice(stream, _MEASURED if measured is None else measured))
    sample = [*([labels] if labels else []), *first]
    widths = [max(map(cell_len, column)) for column in zip(*sample, strict=True)] if sample else []
    widths = _fit(widths, width)
    if labels:
        head = _row(labels, widths, cut=bool(width))
        yield f"\x1b[1m{head}\x1b[0m" if bold else head
    for row in first:
        yield _row(row, widths, cut=bool(width))
    for row in stream:
        yield _row(row, widths, cut=bool(width) and measured is None)


def _fit(widths: list[int], width: int) -> list[int]:
    """Shorten the widest columns until the table fits; the last one may run over."""
    if not width:
        return widths
    widths = list(widths)
    while widths and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], *, cut: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    def fitted(text: str, size: int) -> str:
        used = cell_len(text)
        if used <= size:
            return text + " " * (size - used)
        return set_cell_size(text, size - 1) + "…" if cut else text

    return _GAP.join(map(fitted, cells, widths)).rstrip()


def pairs(rows: Sequence[tuple[str, str]], *, bold: bool = False) -> Iterator[str]:
    """Yield one line per label and value."""
    from rich.cells import cell_len

    size = max((cell_len(label) for label, _value in rows), default=0)
    for label, value in rows:
        padded = label + " " * (size - cell_len(label))
        yield (f"\x1b[1m{padded}\x1b[0m" if bold else padded) + _GAP + value
