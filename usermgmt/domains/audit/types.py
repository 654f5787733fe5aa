"""What the audit commands take: enums; standard library only."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How an audited action ended."""

    OK = "ok"
    DENIED = "denied"
    FAILED = "failed"


class ExportFormat(StrEnum):
    """Formats of ``audit export``."""

    NDJSON = "ndjson"
    CEF = "cef"
    ECS = "ecs"


class PartState(StrEnum):
    """What became of a personal part that an entry commits to."""

    VERIFIED = "verified"
    ALTERED = "altered"
    ERASED = "erased"
    MISSING = "missing"
    UNCOMMITTED = "uncommitted"
