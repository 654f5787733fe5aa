"""What the tick domain offers the rest of the house."""

from __future__ import annotations

from usermgmt.kernel.registry import Declaration

DECLARES = Declaration(
    domain="tick",
    models="usermgmt.domains.tick.models",
    # which turns were taken: what a job did is on the audit by itself
    operational=frozenset({"tick_slot"}),
    upcoming=("usermgmt.domains.tick.upcoming:jobs",),
)
