"""The ``doctor`` command."""

from __future__ import annotations

from usermgmt.domains.doctor.views import CHECK
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Listing

app = tree.group("doctor")


@command(app, may=P.STORE_READ, opens=False, finds=True, lenient=True, shows=CHECK)
def doctor(ctx: Context) -> Listing:
    """Check the store and what it stands on: configuration, files, disk, key, anchors, clock, integrity, audit.

    Goes as far as a broken store lets it. Exit code 0: all is well; 10: something should be mended; 12: the store or
    its audit is not what it should be; 8: the store cannot be opened.

    Examples:
    usermgmt doctor
    usermgmt doctor --json
    """
    from usermgmt.domains.doctor import service

    found = service.examine(ctx)
    ctx.exit = service.verdict(found)
    return Listing(ctx.fields, [tuple(getattr(one, name) for name in ctx.fields) for one in found])
