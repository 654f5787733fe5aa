"""What an entry of the audit shows."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

OUTCOME = {"ok": N_("ok"), "denied": N_("denied"), "failed": N_("failed")}

ENTRY = View(
    N_("audit entry"),
    (
        Column("seq", N_("Entry"), kind="number"),
        Column("at", N_("Time"), kind="time"),
        Column("actor", N_("Actor")),
        Column("action", N_("Action")),
        Column("target", N_("Target"), table=False),
        Column("target_name", N_("Name")),
        Column("outcome", N_("Outcome")),
        Column("error", N_("Error")),
        Column("reason", N_("Reason")),
        Column("changes", N_("Changes"), kind="changes"),
        Column("facts", N_("Facts"), kind="object", table=False),
        Column("change_id", N_("Change id"), table=False),
        Column("via", N_("Via"), kind="object", table=False),
        Column("hash", N_("Hash"), table=False),
        Column("masked", N_("Masked"), kind="list", table=False),
    ),
    key="seq",
    enums={"outcome": OUTCOME},
)
