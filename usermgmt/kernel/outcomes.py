"""What a write answers beside the object that it wrote: its outcome, and what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from usermgmt.kernel import results
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Column

if TYPE_CHECKING:
    from usermgmt.kernel.results import View

OUTCOMES = {
    results.CREATED: N_("created"),
    results.UPDATED: N_("updated"),
    results.UNCHANGED: N_("unchanged"),
    results.REMOVED: N_("removed"),
    results.PENDING: N_("waiting for approval"),
    "skipped": N_("skipped"),
    "refused": N_("refused"),
}

_BEFORE = (Column("outcome", N_("Outcome")), Column("dry_run", N_("Rehearsal"), kind="bool", table=False))
_AFTER = (Column("changes", N_("Changes"), kind="changes"), Column("change_id", N_("Change id"), table=False))
_REFUSED = (Column("name", N_("Name")), Column("error", N_("Error")))


def written(view: View) -> View:
    """Return the view of what a write answers: the object of ``view`` with what was done to it."""
    return replace(view, columns=(*_BEFORE, *view.columns, *_AFTER), enums={**view.enums, "outcome": OUTCOMES})


def refusable(view: View) -> View:
    """Return the view of what a bulk write answers: its rows may be refusals, with a name and an error's code."""
    return replace(view, columns=(*view.columns, *_REFUSED))


def columns(view: View, *, table: bool, dry_run: bool) -> tuple[str, ...]:
    """Return the fields of a write's answer in cells: the same whatever the outcome, so that scripts can rely on it."""
    return tuple(
        column.name for column in view.columns if (dry_run if column.name == "dry_run" else not table or column.table)
    )
