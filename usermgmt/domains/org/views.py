"""What results about units show, in which order."""

from __future__ import annotations

from dataclasses import replace

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

ORG = View(
    N_("unit"),
    (
        Column("id", N_("Id"), kind="number"),
        Column("uid", N_("Uid"), table=False),
        Column("path", N_("Unit")),
        Column("name", N_("Name"), table=False),
        Column("parent", N_("Above"), table=False),
        Column("head", N_("Head")),
        Column("units", N_("Units"), kind="number"),
        Column("members", N_("Members"), kind="number"),
        Column("created_at", N_("Created"), kind="time", table=False),
        Column("updated_at", N_("Changed"), kind="time", table=False),
        Column("version", N_("Version"), kind="number", table=False),
    ),
    keyed="id:{}",
)

TREE = replace(ORG, columns=tuple(replace(one, kind="tree") if one.name == "path" else one for one in ORG.columns))

ORG_SHOWN = replace(
    ORG,
    columns=(
        *ORG.columns,
        Column("superiors", N_("Heads above"), kind="list", table=False),
        Column("members_below", N_("Members, with those below"), kind="number", table=False),
    ),
)
