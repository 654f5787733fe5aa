"""What the checks show."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

SEVERITY = {"ok": N_("ok"), "info": N_("note"), "warning": N_("warning"), "error": N_("error")}

CHECK = View(
    N_("check"),
    (
        Column("check", N_("Check")),
        Column("severity", N_("Severity")),
        Column("message", N_("Finding")),
        Column("next", N_("What to do")),
    ),
    key="check",
    enums={"severity": SEVERITY},
)
