"""What the commands of ``config`` answer."""

from __future__ import annotations

from dataclasses import dataclass

Shown = str | int | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One setting: its value as it may be printed, where that came from, its default, and what it is for (marked)."""

    key: str
    value: Shown
    origin: str
    default: Shown
    help: str


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """What ``set`` or ``unset`` did to one key of ``path``; ``before`` and ``after`` are None where it is not there."""

    key: str
    path: str
    outcome: str
    before: Shown
    after: Shown
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ConfigFileMade:
    """The sample configuration that ``init`` wrote; the path is its key."""

    key: str
    outcome: str
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing to mend: where (``path:line``, ``path``, ``env NAME``), in which key, what, and how."""

    where: str
    key: str
    problem: str
    advice: str


@dataclass(frozen=True, slots=True)
class Validation:
    """The files that were read, and every problem of theirs and of the environment; none means valid."""

    files: tuple[str, ...]
    problems: tuple[ConfigProblem, ...]
