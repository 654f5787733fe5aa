"""What results about the configuration show."""

from __future__ import annotations

from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column, View

SETTING = View(
    N_("setting"),
    (
        Column("key", N_("Setting")),
        Column("value", N_("Value")),
        Column("origin", N_("Origin"), table=False),
        Column("default", N_("Default"), table=False),
        Column("help", N_("What for"), table=False),
    ),
    key="key",
)

SET = View(
    SETTING.noun,
    (
        Column("key", N_("Setting")),
        Column("path", N_("File")),
        Column("before", N_("Before")),
        Column("after", N_("After")),
    ),
    key="key",
)

FILE = View(N_("configuration"), (Column("path", N_("File")),), key="path")

PROBLEM = View(
    N_("problem"),
    (
        Column("where", N_("Where")),
        Column("key", N_("Setting")),
        Column("problem", N_("Problem")),
        Column("advice", N_("Advice")),
    ),
    key="where",
)
