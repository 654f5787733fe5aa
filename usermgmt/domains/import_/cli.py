"""The ``import`` commands: the verb is the noun, or ``runs``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from usermgmt.domains.import_.types import Empty, OnError
from usermgmt.domains.import_.views import RUN, SUMMARY
from usermgmt.domains.user.options import AllowConfusable
from usermgmt.domains.user.types import IfExists
from usermgmt.engines.tabular.types import Format
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.options import Limit
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Change, Listing, Record

if TYPE_CHECKING:
    from usermgmt.domains.import_.types import Options

app = tree.group("import")

File = Annotated[str, Argument(help=N_("The file; - is standard input."), metavar="FILE|-", show_default=False)]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the file is to be read, and what becomes of its records."""

    form: Annotated[
        Format | None, Option("--from", help=N_("Format of the file, where it does not show."), show_default=False)
    ] = None
    sheet: Annotated[
        str,
        Option(
            "--sheet", help=N_("Sheet of a workbook; the first one by default."), metavar="NAME", show_default=False
        ),
    ] = ""
    map_file: Annotated[
        str,
        Option(
            "--map",
            help=N_("Which column is which field, and what is done to values, as TOML."),
            metavar="FILE",
            show_default=False,
        ),
    ] = ""
    encoding: Annotated[
        str, Option("--encoding", help=N_("Encoding of the file, as gb18030."), metavar="NAME", show_default=False)
    ] = ""
    delimiter: Annotated[
        str, Option("--delimiter", help=N_("What separates fields: , ; or tab."), metavar="CHAR", show_default=False)
    ] = ""
    ignore_unknown: Annotated[
        bool, Option("--ignore-unknown", help=N_("Leave columns out that nobody knows."), show_default=False)
    ] = False
    # None where not given: a resumed run goes on as it was begun, and refuses what is given otherwise
    empty: Annotated[
        Empty | None, Option("--empty", help=N_("What an empty cell does to its field."), show_default=Empty.KEEPS)
    ] = None
    if_exists: Annotated[
        IfExists | None,
        Option(
            "--if-exists",
            help=N_("What to do about a record that is there already and differs."),
            show_default=IfExists.FAIL,
        ),
    ] = None
    on_error: Annotated[
        OnError | None,
        Option("--on-error", help=N_("What a refused record means for the others."), show_default=OnError.CONTINUE),
    ] = None
    drop_invalid: Annotated[
        bool, Option("--drop-invalid", help=N_("Leave bad optional fields out and report them."), show_default=False)
    ] = False
    report: Annotated[
        str,
        Option("--report", help=N_("Where refused records go, with the reason."), metavar="FILE", show_default=False),
    ] = ""
    resume: Annotated[
        str | None,
        Option("--resume", help=N_("Go on with this run, as it was begun."), metavar="RUN", show_default=False),
    ] = None


def options(given: Reading, *, allow_confusable: bool) -> Options:
    """Return what the command line asks for."""
    from usermgmt.domains.import_.types import Options

    return Options(
        form=given.form.value if given.form else "",
        encoding=given.encoding,
        delimiter=given.delimiter,
        sheet=given.sheet,
        map_file=given.map_file,
        ignore_unknown=given.ignore_unknown,
        empty=given.empty,
        if_exists=given.if_exists,
        on_error=given.on_error,
        drop_invalid=given.drop_invalid,
        allow_confusable=allow_confusable,
        report=given.report,
        resume=given.resume,
    )


@command(app, may=P.DATA_IMPORT, chunks=True, shows=SUMMARY)
def users(ctx: Context, file: File, reading: Reading, allow_confusable: AllowConfusable = False) -> Change:
    """Import users from CSV, TSV, JSON, NDJSON or XLSX, with every rule that adding them one by one has.

    A record is matched by uid, then external id, username, email. One that says nothing new is unchanged; whether one
    that differs is refused, skipped or changes the user is for --if-exists to say. Saved in chunks: a run that
    was broken off is completed by --resume with its id, or by running it again.

    Examples:
    usermgmt import users users.csv
    usermgmt import users users.csv --dry-run --report refused.csv
    usermgmt import users hr.csv --map hr.toml --if-exists update --on-error rollback
    usermgmt import users users.csv --resume 01990b2e
    """
    from usermgmt.domains.import_ import service

    return service.import_file(ctx, "users", file, options(reading, allow_confusable=allow_confusable))


@command(app, may=P.DATA_IMPORT, shows=RUN)
def runs(
    ctx: Context,
    run: Annotated[
        str,
        Argument(help=N_("Show this run whole; the beginning of its id will do."), metavar="RUN", show_default=False),
    ] = "",
    limit: Limit = None,
) -> Listing | Record:
    """List the runs of imports and how they stand, or show one.

    A run that is interrupted, stopped or failed can be resumed: usermgmt import users FILE --resume RUN.

    Examples:
    usermgmt import runs
    usermgmt import runs 01990b2e --json
    """
    from usermgmt.domains.import_ import queries

    return Record(queries.record(ctx, run)) if run else queries.listing(ctx, limit)
