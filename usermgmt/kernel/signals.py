"""Signals that end the program."""

from __future__ import annotations

import signal
import threading
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
def deadly() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the process at once: around a call into a library that may never come back to Python.

    For moments in which nothing is half done; outside the main thread, which no signal reaches, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
