"""What the result of an import shows, and what a run."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

SUMMARY = View(
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

STATES = {
    "running": N_("running"),
    "done": N_("done"),
    "stopped": N_("stopped"),
    "interrupted": N_("interrupted"),
    "failed": N_("failed"),
}

RUN = View(
    N_("run"),
    (
        Column("run", N_("Run")),
        Column("noun", N_("Noun")),
        Column("file", N_("File")),
        Column("state", N_("State")),
        *SUMMARY.columns[1:-1],
        Column("size", N_("Bytes"), kind="number", table=False),
        Column("sha256", N_("SHA-256"), table=False),
        Column("options", N_("Options"), kind="object", table=False),
        Column("report", N_("Report"), table=False),
        Column("partial", N_("Report so far"), table=False),
        Column("actor", N_("Actor"), table=False),
        Column("started_at", N_("Started"), kind="time"),
        Column("updated_at", N_("Last chunk"), kind="time", table=False),
        Column("ended_at", N_("Ended"), kind="time"),
    ),
    key="run",
    enums={"state": STATES},
)
