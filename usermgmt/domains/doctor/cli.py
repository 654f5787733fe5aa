"""The ``doctor`` command."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from usermgmt.domains.doctor.views import CHECK
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Batch, Listing

app = tree.group("doctor")


@command(
    app, may=P.STORE_READ, opens=False, finds=True, lenient=True, files=True, shows=CHECK, needs={"fix": P.STORE_FIX}
)
def doctor(
    ctx: Context,
    fix: Annotated[bool, Option("--fix", help=N_("Mend what can be mended without a risk."))] = False,
) -> Listing | Batch:
    """Check the store and what it stands on: configuration, files, disk, key, anchors, clock, integrity, audit, search.

    Goes as far as a broken store lets it. Exit code 0: all is well; 10: something should be mended; 12: the store or
    its audit is not what it should be; 8: the store cannot be opened.

    --fix shuts other accounts out of files and directories, makes a missing public key, missing anchors and a wrong
    index of names again, gives the store its write-ahead log, removes what a killed run left, and answers with what
    was mended and what is left. Where a verification failed nothing but those rights is touched, since it may be
    evidence.

    Examples:
    usermgmt doctor
    usermgmt doctor --json
    usermgmt doctor --fix --dry-run
    """
    from usermgmt.domains.doctor import mending, service

    if fix:
        return mending.mend(ctx)
    found = service.examine(ctx)
    ctx.exit = service.verdict(found)
    fields = tuple(name for name in ctx.fields if name in CHECK.names)
    return Listing(fields, [tuple(getattr(one, name) for name in fields) for one in found])
