"""Signals that end the program."""

from __future__ import annotations


class Stop(BaseException):
    """SIGTERM came; as ``KeyboardInterrupt`` no ``Exception``, so that nothing takes it for the refusal of a record."""


def stop(_number: int, _frame: object) -> None:
    """Handle SIGTERM; raises ``Stop``."""
    raise Stop
