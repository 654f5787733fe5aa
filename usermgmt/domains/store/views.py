"""What results about the store show."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

STORE = View(
    N_("store"),
    (
        Column("location", N_("Location")),
        Column("engine", N_("Engine")),
        Column("store_id", N_("Store id")),
        Column("lineage", N_("Lineage"), kind="number"),
        Column("schema", N_("Schema")),
        Column("simulated", N_("Simulated"), kind="bool"),
        Column("region", N_("Region")),
        Column("created_at", N_("Created"), kind="time"),
        Column("entries", N_("Audit entries"), kind="number"),
        Column("head", N_("Audit head")),
        Column("counts", N_("Rows"), kind="object"),
        Column("bytes", N_("Bytes"), kind="number"),
        Column("keys", N_("Keys")),
        Column("anchors", N_("Anchors")),
    ),
    key="store_id",
)
