"""The ``upcoming`` command."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from usermgmt.domains.upcoming.views import UPCOMING
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Bytes, Listing

app = tree.group("upcoming")


@command(app, may=P.UPCOMING_READ, shows=UPCOMING, also=("ical",))
def upcoming(
    ctx: Context,
    within: Annotated[
        str, Option("--within", help=N_("How far ahead: a duration, or up to a time."), metavar="TIME")
    ] = "14d",
) -> Listing | Bytes:
    """Show what falls due soon, in the order of time: accounts that begin and end, and jobs of usermgmt tick.

    What should have been done already stands first, as overdue. With -o ical it is a calendar to subscribe to.

    Examples:
    usermgmt upcoming
    usermgmt upcoming --within 90d --json
    usermgmt upcoming --within 1w -o ical > due.ics
    """
    from usermgmt.domains.upcoming import service

    return service.upcoming(ctx, within)
