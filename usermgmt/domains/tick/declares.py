"""What the tick domain offers the rest of the house."""

from __future__ import annotations

from usermgmt.kernel.registry import Declaration

DECLARES = Declaration(
    domain="tick",
    models="usermgmt.domains.tick.models",
    upcoming=("usermgmt.domains.tick.upcoming:jobs",),
)
