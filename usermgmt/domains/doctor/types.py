"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usermgmt.kernel.errors import UsermgmtError


class Severity(StrEnum):
    """How bad it is: ``info`` is worth knowing, ``warning`` worth mending, ``error`` in the way of using the store."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, in the language of the invocation; ``next`` is what to do or type about it.

    ``broken`` marks an error of integrity, as against a store that cannot be used.
    """

    check: str
    severity: Severity
    message: str
    next: str = ""
    broken: bool = False


def advice(error: UsermgmtError) -> str:
    """Return the hint of an error, without the one that leads here."""
    return "" if error.hint.startswith("usermgmt doctor") else error.advice
