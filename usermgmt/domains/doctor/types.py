"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from usermgmt.kernel.results import UPDATED

if TYPE_CHECKING:
    from collections.abc import Callable

    from usermgmt.kernel.errors import UsermgmtError


class Severity(StrEnum):
    """How bad it is: ``info`` is worth knowing, ``warning`` worth mending, ``error`` in the way of using the store."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Fix:
    """How to mend what was found without a risk: ``words`` tell what ``do`` does, ``outcome`` what it is then.

    One that is ``early`` only shuts out other accounts; the rest waits until the store has passed its verification.
    """

    words: str
    do: Callable[[], object]
    outcome: str = UPDATED
    early: bool = False


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
    fix: Fix | None = field(default=None, compare=False)


def advice(error: UsermgmtError) -> str:
    """Return the hint of an error, without the one that leads here."""
    return "" if error.hint.startswith("usermgmt doctor") else error.advice
