"""What the audit domain offers the rest of the house."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.registry import Declaration, Job
from usermgmt.kernel.schedule import Daily

CHECKPOINT = Job(
    name="audit.checkpoint",
    summary=N_("A signed checkpoint of the audit, in a file of its own."),
    schedule=Daily("00:00"),
    run="usermgmt.domains.audit.daily:checkpoint",
)

DECLARES = Declaration(domain="audit", tick_jobs=(CHECKPOINT,))
