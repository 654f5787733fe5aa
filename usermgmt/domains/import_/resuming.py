"""Going on with a run that was broken off: as it was begun, on the file that it has read part of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_ import journal, reporting
from usermgmt.domains.import_.errors import FileChanged, NotResumable, OtherOptions
from usermgmt.domains.import_.mapfile import parsed
from usermgmt.domains.import_.types import Empty, OnError, Options, State
from usermgmt.domains.user.types import IfExists
from usermgmt.kernel import transaction
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from sqlalchemy.engine import RowMapping

    from usermgmt.domains.import_.source import Fingerprint
    from usermgmt.engines.tabular.reading import Table
    from usermgmt.kernel.context import Context

_KEPT = {
    "from": "form",
    "encoding": "encoding",
    "delimiter": "delimiter",
    "sheet": "sheet",
    "map": "map",
    "ignore_unknown": "ignore_unknown",
    "empty": "empty",
    "if_exists": "if_exists",
    "on_error": "on_error",
    "drop_invalid": "drop_invalid",
    "allow_confusable": "allow_confusable",
}
"""Options that decide what a record means, as the row of a run names them: all that a resumed run must have again."""


_GIVEN = ("sheet", "ignore_unknown", "empty", "if_exists", "on_error", "drop_invalid", "allow_confusable")
_SHOWN = ("from", "encoding", "delimiter")
"""Those that a file shows by itself: what it showed is kept."""


def kept(options: Options, table: Table) -> dict[str, Any]:
    """Return what the row of a run keeps of its options."""
    found = {**{name: getattr(options, attribute) for name, attribute in _KEPT.items()}, **_shown(table)}
    return {name: value for name, value in found.items() if value not in (None, False, "")}


def _shown(table: Table) -> dict[str, Any]:
    return {"from": table.format.value, "encoding": table.encoding, "delimiter": table.delimiter}


def find(ctx: Context, noun: str, given: Options) -> RowMapping:
    """Return the run that is to be resumed.

    Raises ``UnknownRun``, ``SeveralRuns``, ``OtherOptions``, ``NotResumable``.
    """
    with transaction.reading(ctx):
        row = journal.find(ctx.db, given.resume or "")
    differing = [
        _option(name) for name in _GIVEN if getattr(given, name) not in (None, False, "", row["options"].get(name))
    ]
    if given.map is not None and not _same_map(given, row["options"].get("map")):
        differing.append("--map")
    if given.report and str(ctx.path(given.report)) != row["report"]:
        differing.append("--report")
    if row["noun"] != noun:
        differing.insert(0, noun)
    if differing:
        raise OtherOptions(run=row["run"], options=", ".join(differing))
    if row["state"] != State.DONE:
        _check_resumable(row)
    return row


def _same_map(given: Options, begun: str | None) -> bool:
    return begun is not None and parsed(given.map or "", given.map_file) == parsed(begun, "--map")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_resumable(row: RowMapping) -> None:
    if row["options"]["on_error"] == OnError.ROLLBACK:
        raise NotResumable(run=row["run"], problem=_("it was all or nothing, and nothing of it is saved"))
    if row["sha256"] is None:
        raise NotResumable(run=row["run"], problem=_("it read a pipe, which cannot be read twice"))


def as_begun(row: RowMapping, given: Options) -> Options:
    """Return the options that the run goes on with: its own, but what its file shows where that is given again."""
    own = {attribute: row["options"][name] for name, attribute in _KEPT.items() if name in row["options"]}
    again = {_KEPT[name]: value for name in _SHOWN if (value := getattr(given, _KEPT[name]))}
    enums = {"empty": Empty, "if_exists": IfExists, "on_error": OnError}
    settled = {name: enum(own[name]) for name, enum in enums.items()}
    return Options(**{**own, **again, **settled}, report=row["report"] or "")


def check_file(row: RowMapping, file: str, found: Fingerprint | None) -> None:
    """Refuse another file than the run has read part of; raises ``FileChanged``."""
    if found is None:
        raise FileChanged(file=file, run=row["run"], problem=_("it is a pipe"))
    if found.size != row["size"]:
        problem = _("it has {n} bytes, not {m}").format(n=found.size, m=row["size"])
        raise FileChanged(file=file, run=row["run"], problem=problem)
    if found.sha256 != row["sha256"]:
        raise FileChanged(file=file, run=row["run"], problem=_("its SHA-256 is another"))


def check_shown(row: RowMapping, table: Table) -> None:
    """Refuse another reading of the file than that with which the run was begun; raises ``OtherOptions``."""
    differing = [_option(name) for name, value in _shown(table).items() if value != row["options"].get(name)]
    if differing:
        raise OtherOptions(run=row["run"], options=", ".join(differing))


def finish_report(row: RowMapping) -> None:
    """Write the report of a run that is done, where its process died before it had."""
    if row["report"]:
        with reporting.taken_up(Path(row["report"]), row["run"], row["report_bytes"]) as report:
            if report is not None:
                report.publish()
                report.remove()
