"""How far a long command is: a bar on standard error, where a person looks at it and did not ask for quiet."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.streams import Streams


T = TypeVar("T")
_EACH = 1000
"""Rows between two looks at the bar."""


class Progress:
    """Takes note of how far a command is, and shows it where ``bar`` is there."""

    def __init__(self, bar: Any = None, task: Any = None) -> None:
        self._bar = bar
        self._task = task

    def at(self, done: float, records: int) -> None:
        """Say that ``done`` of the total is behind us, and how many records that was."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, records=records)

    def through(self, rows: Iterable[T]) -> Iterable[T]:
        """Return ``rows``, each of which counts as one of the total when it is taken."""
        return rows if self._bar is None else self._counting(rows)

    def _counting(self, rows: Iterable[T]) -> Iterator[T]:
        for done, row in enumerate(rows):
            if done % _EACH == 0:
                self.at(done, done)
            yield row


class _Terminal(io.TextIOBase):
    """The stream that rich writes to: ours, in the terminal's encoding."""

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self._streams = streams

    def write(self, text: str) -> int:
        self._streams.err(text)
        return len(text)

    def isatty(self) -> bool:
        return True


@contextmanager
def progress(ctx: Context, label: str, total: float | None) -> Iterator[Progress]:
    """Show a bar until the end of the block; ``total`` None where nobody knows how long it takes."""
    if not ctx.streams.stderr_tty or ctx.output.quiet:
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    words = TextColumn("{task.description}"), TextColumn("{task.fields[records]}")
    columns = (words[0], BarColumn(), TaskProgressColumn(), words[1], TimeRemainingColumn())
    # the width is asked for: standard output may be a file while standard error is a terminal
    file = cast("IO[str]", _Terminal(ctx.streams))
    console = Console(file=file, force_terminal=True, no_color=not _coloured(ctx), markup=False)
    with Bar(*columns, console=console, transient=True) as bar:
        yield Progress(bar, bar.add_task(label, total=total, records=0))


def _coloured(ctx: Context) -> bool:
    from usermgmt.kernel.color import wanted

    return wanted(ctx.output.color, ctx.env, tty=True)
