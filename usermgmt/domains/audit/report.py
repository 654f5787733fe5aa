"""What a verification found: problems, which make the audit untrue, and warnings, which only limit what it can say."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from usermgmt.domains.audit.errors import DoesNotHold
from usermgmt.kernel.errors import IntegrityBroken
from usermgmt.kernel.i18n import _, ngettext
from usermgmt.kernel.report import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from usermgmt.kernel.context import Context

MOST = 1000
"""So many problems are told and kept; how many there are is always said."""


class Kind(StrEnum):
    """What a problem is about, beside the kinds of the verifier."""

    ANCHOR = "anchor"
    CHECKPOINT = "checkpoint"
    FRONTIER = "frontier"
    LINEAGE = "lineage"
    SCHEMA = "schema"
    STATE = "state"
    STORE = "store"


@dataclass(slots=True)
class Report:
    """Gathers problems and warnings, of a log with millions of them no more than ``MOST``."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: int = 0

    def add(
        self,
        kind: str,
        message: str,
        *,
        entry: int | None = None,
        target: str = "",
        name: str = "",
        fields: Sequence[str] = (),
    ) -> None:
        """Add a problem; ``entry`` or ``target``, ``name`` and ``fields`` say what does not hold."""
        self.problems += 1
        if len(self.findings) < MOST:
            found = {"kind": str(kind), "entry": entry, "target": target or None, "name": name or None}
            self.findings.append({**found, "fields": list(fields), "message": message})

    def take(self, other: Report) -> None:
        """Add everything of another report."""
        self.findings += other.findings[: MOST - len(self.findings)]
        self.warnings += other.warnings
        self.problems += other.problems

    def tell(self, ctx: Context) -> None:
        """Tell on standard error: for people one line for each problem, for machines one for all."""
        for warning in self.warnings:
            ctx.warn(warning)
        if not self.problems:
            return
        count = ngettext("the audit does not hold: {n} problem", "the audit does not hold: {n} problems", self.problems)
        if ctx.output.format in ("json", "ndjson") or ctx.output.jq:
            first = self.findings[0]["message"]
            line = _("{count}; the first: {first}").format(count=count.format(n=self.problems), first=first)
            report(ctx.streams, DoesNotHold(problem=line, findings=self.findings), json=True)
            return
        for found in self.findings:
            report(ctx.streams, DoesNotHold(problem=found["message"]), json=False)
        left_out = self.problems - len(self.findings)
        more = _(", the first {shown} shown").format(shown=MOST) if left_out else ""
        last = DoesNotHold(IntegrityBroken.hint, problem=count.format(n=self.problems) + more)
        report(ctx.streams, last, json=False)
