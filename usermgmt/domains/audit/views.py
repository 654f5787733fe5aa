"""What results about the audit show, in which order."""

from __future__ import annotations

from usermgmt.kernel.audit.view import ENTRY
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

ENTRY_SHOWN = View(
    ENTRY.noun,
    (
        *ENTRY.columns,
        Column("previous_hash", N_("Hash before"), table=False),
        Column("holds", N_("Holds"), kind="bool", table=False),
        Column("parts", N_("Personal parts"), kind="object", table=False),
    ),
    key=ENTRY.key,
    enums=ENTRY.enums,
)

VERIFIED = View(
    N_("audit"),
    (
        Column("holds", N_("Holds"), kind="bool"),
        Column("entries", N_("Entries"), kind="number"),
        Column("removed", N_("Removed to archives"), kind="number"),
        Column("hash", N_("Hash")),
        Column("root", N_("Merkle root")),
        Column("lineage", N_("Lineage"), kind="number"),
        Column("anchors", N_("Anchors compared"), kind="number"),
        Column("anchored", N_("Anchored up to entry"), kind="number"),
        Column("redacted", N_("Erased personal parts"), kind="number"),
        Column("rows", N_("Rows compared"), kind="number"),
        Column("problems", N_("Problems"), kind="number"),
        Column("findings", N_("Findings"), kind="object", table=False),
        Column("warnings", N_("Warnings"), kind="list", table=False),
    ),
    key="hash",
)

PRUNED = View(
    N_("audit entries"),
    (
        Column("n", N_("Removed to archives"), kind="number"),
        Column("count", N_("Entries"), kind="number"),
        Column("before", N_("Before"), kind="time"),
        Column("archive", N_("Archive")),
        Column("bytes", N_("Bytes"), kind="number"),
        Column("sha256", N_("SHA-256")),
        Column("hash", N_("Hash"), table=False),
        Column("restated", N_("Records said again"), kind="number"),
    ),
    key="n",
)

CHECKPOINT = View(
    N_("checkpoint"),
    (
        Column("out", N_("File")),
        Column("n", N_("Entries"), kind="number"),
        Column("hash", N_("Hash")),
        Column("root", N_("Merkle root")),
        Column("lineage", N_("Lineage"), kind="number"),
        Column("store", N_("Store id")),
        Column("at", N_("Time"), kind="time"),
        Column("key", N_("Key")),
        Column("sig", N_("Signature"), table=False),
    ),
    key="n",
)
