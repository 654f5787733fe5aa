"""What a tick shows of the things it did."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

DONE = View(
    N_("job"),
    (
        Column("job", N_("Job")),
        Column("action", N_("Action"), table=False),
        Column("target", N_("Target"), table=False),
        Column("target_name", N_("Target")),
        Column("valid_until", N_("Valid until"), kind="time"),
        Column("n", N_("Entries"), kind="number"),
        Column("at", N_("Time"), kind="time"),
    ),
    key="target",
)
