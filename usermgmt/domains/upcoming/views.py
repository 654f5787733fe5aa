"""What is shown of things that fall due."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

KINDS = {
    "backup": N_("a backup is due"),
    "job": N_("a job of usermgmt tick is due"),
    "user.ends": N_("the account ends"),
    "user.opens": N_("the account begins"),
}

UPCOMING = View(
    N_("due"),
    (
        Column("at", N_("Time"), kind="time"),
        Column("kind", N_("What falls due")),
        Column("target", N_("Target"), table=False),
        Column("target_name", N_("Target")),
        Column("overdue", N_("Overdue"), kind="bool"),
    ),
    key="target",
    enums={"kind": KINDS},
)
