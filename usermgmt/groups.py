"""THE table: every group and command of the root, its module, its one line, its panel. Nothing here is imported."""

from __future__ import annotations

from dataclasses import dataclass

from usermgmt.kernel.i18n import N_

PEOPLE = N_("People")
STORE = N_("Store")


@dataclass(frozen=True, slots=True)
class Row:
    """One name that may follow ``usermgmt``; ``single`` is a command of its own, not a group of verbs."""

    name: str
    module: str
    summary: str
    panel: str
    single: bool = False


GROUPS = (
    Row("user", "usermgmt.domains.user.cli", N_("Users: add, find, change, suspend, close."), PEOPLE),
    Row("org", "usermgmt.domains.org.cli", N_("The organisation: units in a tree, their heads, members."), PEOPLE),
    Row("import", "usermgmt.domains.import_.cli", N_("Bring records in from a file."), PEOPLE),
    Row("export", "usermgmt.domains.export.cli", N_("Take records out as CSV, TSV, JSON or NDJSON."), PEOPLE),
    Row("init", "usermgmt.domains.store.init", N_("Create a store."), STORE, single=True),
    Row("store", "usermgmt.domains.store.cli", N_("The store: what it is, migrate, back up, restore."), STORE),
    Row("audit", "usermgmt.domains.audit.cli", N_("The audit log: read, verify, anchor, export."), STORE),
    Row("config", "usermgmt.domains.config.cli", N_("Settings: show, get, set, validate."), STORE),
    Row("doctor", "usermgmt.domains.doctor.cli", N_("Check the store and its surroundings."), STORE, single=True),
    Row("tick", "usermgmt.domains.tick.cli", N_("Do what is due; the one entry for cron."), STORE, single=True),
    Row("upcoming", "usermgmt.domains.upcoming.cli", N_("Show what falls due soon."), STORE, single=True),
    Row("demo", "usermgmt.domains.demo.cli", N_("Walk the main job on a temporary store."), STORE, single=True),
    Row("completion", "usermgmt.domains.completion.cli", N_("Print a completion script."), STORE, single=True),
    Row("help", "usermgmt.domains.help.cli", N_("Show a topic of the manual."), STORE, single=True),
    Row("version", "usermgmt.domains.version.cli", N_("Show the version."), STORE, single=True),
)

BY_NAME = {row.name: row for row in GROUPS}
PANELS = (PEOPLE, STORE)
