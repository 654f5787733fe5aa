"""The ``org`` commands."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from usermgmt.domains.org.views import ORG, ORG_SHOWN, TREE
from usermgmt.domains.user import complete
from usermgmt.domains.user.types import IfExists
from usermgmt.domains.user.views import USER
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.options import Limit
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Change, Listing, Record

app = tree.group("org")

Unit = Annotated[
    str,
    Argument(
        help=N_("The unit: its path, as 华东/销售, or id:3, uid:..."),
        metavar="UNIT",
        autocompletion=complete.units,
        show_default=False,
    ),
]
Head = Annotated[
    str | None,
    Option(
        "--head",
        help=N_("The user who heads the unit; empty for nobody."),
        metavar="USER",
        autocompletion=complete.usernames,
        show_default=False,
    ),
]


@command(app, may=P.ORG_CREATE, writes=True, shows=ORG)
def add(
    ctx: Context,
    path: Annotated[
        str,
        Argument(
            help=N_("Where the new unit stands and what it is called, as 华东/销售."),
            metavar="PATH",
            autocompletion=complete.units,
            show_default=False,
        ),
    ],
    head: Head = None,
    parents: Annotated[
        bool, Option("--parents", help=N_("Make missing units above it too."), show_default=False)
    ] = False,
    if_exists: Annotated[
        IfExists, Option("--if-exists", help=N_("What to do about a record that is there already and differs."))
    ] = IfExists.FAIL,
) -> Change:
    """Add a unit to the organisation.

    Examples:
    usermgmt org add 华东 --head alice
    usermgmt org add 华东/销售
    usermgmt org add "Head office/Accounts/Payroll" --parents
    """
    from usermgmt.domains.org import service

    return service.add(ctx, path, head, parents=parents, if_exists=if_exists)


@command(app, "list", may=P.ORG_READ, shows=TREE)
def list_(
    ctx: Context,
    unit: Unit = "",
    sort: Annotated[
        str, Option("--sort", help=N_("Order by path (the tree), id or created_at; -FIELD descending."))
    ] = "path",
    limit: Limit = None,
) -> Listing:
    """List the units as a tree; all of them, or one and those below it.

    Examples:
    usermgmt org list
    usermgmt org list 华东 --json
    usermgmt org list --fields path --no-header -o tsv
    """
    from usermgmt.domains.org import queries

    return queries.listing(ctx, unit, sort=queries.checked_sort(sort), limit=limit)


@command(app, may=P.ORG_READ, shows=ORG_SHOWN)
def show(ctx: Context, unit: Unit) -> Record:
    """Show one unit with its head, the heads above it, and how many belong to it.

    Examples:
    usermgmt org show 华东/销售
    """
    from usermgmt.domains.org import queries

    return Record(queries.record(ctx, unit))


@command(app, "set", may=P.ORG_UPDATE, writes=True, versioned=True, shows=ORG)
def set_(
    ctx: Context,
    unit: Unit,
    name: Annotated[
        str | None, Option("--name", help=N_("The new name; the place stays."), metavar="TEXT", show_default=False)
    ] = None,
    head: Head = None,
) -> Change:
    """Rename a unit, or give it another head.

    Examples:
    usermgmt org set 华东/销售 --head alice
    usermgmt org set 华东/销售 --name 销售一部 --head ""
    """
    from usermgmt.domains.org import service
    from usermgmt.domains.user import units
    from usermgmt.kernel.errors import UsageProblem

    if name is None and head is None:
        raise UsageProblem(problem=_("nothing is to be changed"), hint=N_("--help lists what can be"))
    return service.change(ctx, units.find(ctx, unit).id, name=name, head=head)


@command(app, may=P.ORG_MOVE, writes=True, versioned=True, shows=ORG)
def move(
    ctx: Context,
    unit: Unit,
    parent: Annotated[
        str,
        Argument(
            help=N_("The unit below which it shall stand; / is the top."),
            metavar="PARENT",
            autocompletion=complete.units,
            show_default=False,
        ),
    ],
) -> Change:
    """Move a unit with all that is below it to another place in the tree.

    Examples:
    usermgmt org move 华东/销售 华北
    usermgmt org move 华东/销售 /
    """
    from usermgmt.domains.org import service
    from usermgmt.domains.user import units

    return service.move(ctx, units.find(ctx, unit).id, parent)


@command(app, may=P.ORG_REMOVE, writes=True, versioned=True, confirms=True, shows=ORG)
def remove(ctx: Context, unit: Unit) -> Change:
    """Remove a unit to which nobody belongs and below which nothing stands.

    Examples:
    usermgmt org remove 华东/销售 --yes
    """
    from usermgmt.domains.org import service
    from usermgmt.domains.user import units

    return service.remove(ctx, units.find(ctx, unit).id)


@command(app, may=P.USER_READ, shows=USER, reveals=True)
def members(
    ctx: Context,
    unit: Unit,
    below: Annotated[bool, Option("--below", help=N_("Those of the units below it too."), show_default=False)] = False,
    limit: Limit = None,
) -> Listing:
    """List the users who belong to a unit.

    Examples:
    usermgmt org members 华东/销售
    usermgmt org members 华东 --below -o count
    """
    from usermgmt.domains.user import queries, units
    from usermgmt.kernel.selectors import Compare

    wanted = Compare("org", "within" if below else "=", (units.find(ctx, unit).path_norm,))
    return queries.listing(ctx, wanted, limit=limit)
