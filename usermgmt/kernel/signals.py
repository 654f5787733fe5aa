"""Signals that end the program, kept waiting where a word about what was done must not be lost."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stop(BaseException):
    """SIGTERM came; as ``KeyboardInterrupt`` no ``Exception``, so that nothing takes it for the refusal of a record."""


def stop(_number: int, _frame: object) -> None:
    """Handle SIGTERM; raises ``Stop``."""
    raise Stop


@contextmanager
def held() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the end; for moments only, such as a commit and the note that it was made."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
