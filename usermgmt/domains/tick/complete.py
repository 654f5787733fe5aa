"""Names of jobs completed on TAB."""

from __future__ import annotations

from usermgmt.kernel import registry
from usermgmt.kernel.i18n import _


def jobs(incomplete: str) -> list[tuple[str, str]]:
    """Complete the names of jobs."""
    return [(job.name, _(job.summary)) for job in registry.jobs() if job.name.startswith(incomplete)]
