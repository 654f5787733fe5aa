"""What can be wrong with an import as a whole, and with going on with one."""

from __future__ import annotations

from usermgmt.kernel.errors import Conflict, Invalid, NotFound, UsageProblem
from usermgmt.kernel.i18n import N_


class UnknownColumns(Invalid):
    """{file}: there is no field for the column {columns}."""

    code = "import.column"
    hint = N_("name its field with --map, or pass --ignore-unknown")


class NoKnownColumn(Invalid):
    """{file}: none of its columns is known."""

    code = "import.column"
    hint = N_("say with --map which column is which field")


class SameField(Invalid):
    """{file}: the columns {columns} both give {field}."""

    code = "import.column"
    hint = N_("say with --map which one counts, and give the other one an empty field")


class UnknownKey(Invalid):
    """There is no field for {key}."""

    code = "import.column"


class BadMap(Invalid):
    """{file}: {problem}"""

    code = "import.map"
    hint = N_("usermgmt help formats shows how a map is written")


class TransformFailed(Invalid):
    """{column}: {problem}"""

    code = "import.transform"


class ReportIsInput(UsageProblem):
    """The report would overwrite the file that is imported."""

    code = "import.report"
    hint = N_("name another file")


class UnknownRun(NotFound):
    """There is no run {name} of an import."""

    code = "import.run"
    hint = N_("usermgmt import runs lists them; the latest: {latest}")


class SeveralRuns(Conflict):
    """{name} begins the ids of several runs: {runs}."""

    code = "import.ambiguous"
    hint = N_("write more of it")


class StillRunning(Conflict):
    """The run {run} is still going on."""

    code = "import.running"
    hint = N_("usermgmt import runs {run} shows how far it is")


class NotResumable(Conflict):
    """The run {run} cannot be resumed: {problem}."""

    code = "import.not_resumable"
    hint = N_("import the whole file: what is there already is unchanged")


class OtherOptions(Conflict):
    """The run {run} was begun otherwise: {options} cannot change now."""

    code = "import.options"
    hint = N_("leave out what is asked for otherwise: a resumed run goes on as it was begun")


class FileChanged(Invalid):
    """{file} is not the file that the run {run} has read part of: {problem}."""

    code = "import.file_changed"
    hint = N_("import it whole: what is there already is unchanged")


class RunMoved(Conflict):
    """The run {run} does not stand where this process left it; nothing more was saved."""

    code = "import.moved"
    hint = N_("the store was restored, or somebody else resumed the run: usermgmt import runs {run}")
