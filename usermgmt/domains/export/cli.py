"""The ``export`` commands: the verb is the noun."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from usermgmt.domains.user.options import Filters
from usermgmt.engines.tabular.types import Format
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.permissions import P

app = tree.group("export")

Form = Annotated[
    Format, Option("--output", "-o", help=N_("Format of the records."), case_sensitive=False, show_default=False)
]
Out = Annotated[
    str, Option("--out", help=N_("A new file instead of standard output."), metavar="FILE", show_default=False)
]
Raw = Annotated[
    bool, Option("--raw", help=N_("Cells as they are, also what a spreadsheet would run."), show_default=False)
]


@command(app, may=P.DATA_EXPORT, reasoned=True)
def users(ctx: Context, filters: Filters, form: Form = Format.CSV, out: Out = "", raw: Raw = False) -> None:
    """Export users as CSV, TSV, JSON, NDJSON or XLSX, unmasked: every column that an import takes back.

    The export is itself recorded, with the number of users. Notes, the history and credentials stay in the store.
    XLSX goes to a file; all of its cells are texts, so that a spreadsheet keeps long numbers and leading zeros.

    Examples:
    usermgmt export users --out users.csv
    usermgmt export users -o ndjson --status active --tag vip
    usermgmt export users -o ndjson --where '"hr" in external_ids'
    usermgmt export users -o xlsx --out users.xlsx
    usermgmt export users -o json --created-after 30d --reason "quarterly review"
    """
    from usermgmt.domains.export import service
    from usermgmt.domains.user import targets

    service.export(ctx, "users", targets.predicate(ctx, filters), form, out, guarded=not raw)
