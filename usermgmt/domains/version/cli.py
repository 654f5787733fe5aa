"""The ``version`` command."""

from __future__ import annotations

from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, Record, View

app = tree.group("version")

VERSION = View(
    N_("version"),
    (
        Column("version", N_("Version")),
        Column("schema", N_("Schema of its stores")),
        Column("python", N_("Python")),
        Column("sqlite", N_("SQLite")),
        Column("sqlite_driver", N_("SQLite driver")),
        Column("wal", N_("Write-ahead log"), kind="bool"),
        Column("postgresql_driver", N_("PostgreSQL driver")),
        Column("platform", N_("Platform")),
    ),
    key="version",
)


@command(app, opens=False, lenient=True, shows=VERSION)
def version(ctx: Context) -> Record:  # noqa: ARG001 - every command takes it
    """Show the version of the program and of what it stands on.

    Examples:
    usermgmt version
    usermgmt version -o ids
    usermgmt version --json --jq .schema
    """
    from usermgmt.domains.version import service

    return Record(service.facts())
