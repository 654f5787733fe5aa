"""The ``tick`` command."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from usermgmt.domains.tick.complete import jobs
from usermgmt.domains.tick.views import DONE
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Batch

app = tree.group("tick")


@command(app, may=P.TICK_RUN, chunks=True, shows=DONE)
def tick(
    ctx: Context,
    only: Annotated[
        str, Option("--only", help=N_("This job and no other, if it is due."), metavar="JOB", autocompletion=jobs)
    ] = "",
) -> Batch:
    """Do what is due: notices of accounts whose time ends, the daily checkpoint of the audit; for cron to call.

    Prints a line for each thing done, and nothing where there was nothing to do. Two at once do everything once; what
    was missed is made up for. A job that fails does not keep the others from being done: exit code 7.

    Examples:
    usermgmt tick
    usermgmt tick --only user.expiring --json
    usermgmt tick --dry-run
    """
    from usermgmt.domains.tick import service

    return service.tick(ctx, only)
