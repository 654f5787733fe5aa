"""What can be wrong with an import as a whole."""

from __future__ import annotations

from usermgmt.kernel.errors import Invalid, UsageProblem
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
