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
        Column("encrypted", N_("Encrypted"), kind="bool"),
        Column("key", N_("Key id")),
        Column("keys", N_("Keys")),
        Column("anchors", N_("Anchors")),
    ),
    key="store_id",
)

BACKUP = View(
    N_("backup"),
    (
        Column("path", N_("File")),
        Column("manifest", N_("Manifest")),
        Column("store_id", N_("Store id")),
        Column("lineage", N_("Lineage"), kind="number"),
        Column("schema", N_("Schema")),
        Column("entries", N_("Audit entries"), kind="number"),
        Column("head", N_("Audit head")),
        Column("counts", N_("Rows"), kind="object"),
        Column("bytes", N_("Bytes"), kind="number"),
        Column("sha256", N_("SHA-256")),
        Column("key", N_("Key id")),
    ),
    key="path",
)

MIGRATION = View(
    STORE.noun,
    (
        Column("store_id", N_("Store id")),
        Column("from", N_("From")),
        Column("to", N_("To")),
        Column("steps", N_("Steps"), kind="list"),
        Column("backup", N_("Backup")),
    ),
    key="store_id",
)

_COPIED = ("location", "engine", "store_id", "lineage", "schema", "entries", "counts", "encrypted", "keys", "anchors")
COPIED = View(
    N_("copy"),
    (
        *(one for one in STORE.columns if one.name in _COPIED),
        Column("from", N_("Copied from"), kind="object"),
    ),
    key="location",
)

_RESTORED = ("location", "engine", "store_id", "lineage", "schema", "entries", "counts", "encrypted", "key")
RESTORED = View(
    STORE.noun,
    (
        *(one for one in STORE.columns if one.name in _RESTORED),
        Column("backup", N_("Backup"), kind="object"),
        Column("replaced", N_("Replaced"), kind="object"),
    ),
    key="store_id",
)

RECODED = View(
    STORE.noun,
    (
        *(one for one in STORE.columns if one.name in ("location", "store_id", "encrypted", "key")),
        Column("former_key", N_("Former key id")),
        Column("key_file", N_("Key file")),
        Column("bytes", N_("Bytes"), kind="number"),
    ),
    key="store_id",
)
