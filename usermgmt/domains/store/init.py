"""The ``init`` command: create a store."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from usermgmt.domains.store.options import Wrap
from usermgmt.domains.store.views import STORE
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.results import Change
from usermgmt.kernel.secret import Given

app = tree.group("init")


@command(app, files=True, opens=False, shows=STORE)
def init(
    ctx: Context,
    simulate: Annotated[bool, Option("--simulate", help=N_("A store for trials, whose clock --now can set."))] = False,
    region: Annotated[
        str, Option("--region", help=N_("Country of phone numbers written without one, as CN."), metavar="CC")
    ] = "",
    encrypt: Annotated[bool, Option("--encrypt", help=N_("Encrypt the file; see usermgmt help encryption."))] = False,
    wrap: Wrap = False,
    *,
    given: Given,
) -> Change:
    """Create a store: a private SQLite file, or the tables in a PostgreSQL database.

    A second run changes nothing. The store's keys and the anchors of its audit are made beside it.

    Examples:
    usermgmt init
    usermgmt init --region CN
    usermgmt init --encrypt
    usermgmt --store postgresql+psycopg:///usermgmt init

    """
    from usermgmt.domains.store import create, keeping
    from usermgmt.kernel.invocation import data_home, store_place

    at = store_place(ctx.env, ctx.settings, ctx.cwd)
    passphrase = keeping.passphrase(ctx, given, wrap=wrap)
    return create.init(
        ctx, at, data_home(ctx.env), simulate=simulate, region=region, passphrase=passphrase, encrypt=encrypt
    )
