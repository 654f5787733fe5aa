"""What the result of an import shows."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

RUN = View(
    N_("import"),
    (
        Column("run", N_("Run"), table=False),
        Column("read", N_("Read"), kind="number"),
        Column("created", N_("New"), kind="number"),
        Column("updated", N_("Updated"), kind="number"),
        Column("unchanged", N_("Unchanged"), kind="number"),
        Column("skipped", N_("Skipped"), kind="number"),
        Column("rejected", N_("Rejected"), kind="number"),
        Column("ignored", N_("Ignored"), kind="number"),
        Column("dropped", N_("Bad values left out"), kind="number", table=False),
        Column("reported", N_("Names that resemble others"), kind="number", table=False),
        Column("rolled_back", N_("Rolled back"), kind="bool", table=False),
    ),
    key="run",
)
