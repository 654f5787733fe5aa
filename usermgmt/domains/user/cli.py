"""The ``user`` commands."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from usermgmt.domains.user import options as o
from usermgmt.domains.user.types import IfExists
from usermgmt.domains.user.views import EXISTS, USER, USER_SHOWN
from usermgmt.kernel import tree
from usermgmt.kernel.audit.view import ENTRY
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.errors import Exit
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.options import Limit, Since, Until
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Batch, Change, Listing, Record

app = tree.group("user")


@command(app, may=P.USER_CREATE, writes=True, shows=USER)
def add(
    ctx: Context,
    username: o.NewName,
    email: o.Email = None,
    phone: o.Phone = None,
    display_name: o.DisplayName = None,
    full_name: o.FullName = None,
    gender: o.GenderOption = None,
    birth_date: o.BirthDate = None,
    occupation: o.Occupation = None,
    locale: o.Locale = None,
    time_zone: o.TimeZone = None,
    kind: o.KindOption = None,
    valid_from: o.ValidFrom = None,
    valid_until: o.ValidUntil = None,
    email_verified_at: o.EmailVerified = None,
    phone_verified_at: o.PhoneVerified = None,
    managed_by: o.ManagedBy = None,
    add_tag: o.AddTag = None,
    external_id: o.AddExternalId = None,
    add_external_id: o.MoreExternalId = None,
    add_address: o.AddAddress = None,
    allow_confusable: o.AllowConfusable = False,
    if_exists: Annotated[
        IfExists, Option("--if-exists", help=N_("What to do about a user of this name: fail, skip or update."))
    ] = IfExists.FAIL,
) -> Change:
    """Add a user, active unless told otherwise.

    Examples:
    usermgmt user add alice --email alice@example.com
    usermgmt user add 张伟 --phone +8613800138000 --add-tag vip
    usermgmt user add backup-job --kind service --valid-until 90d
    """
    from usermgmt.domains.user import service

    return service.add(ctx, username, service.request(locals()), if_exists)


@command(app, may=P.USER_CREATE, writes=True, shows=USER)
def ensure(
    ctx: Context,
    username: o.NewName,
    email: o.Email = None,
    phone: o.Phone = None,
    display_name: o.DisplayName = None,
    full_name: o.FullName = None,
    gender: o.GenderOption = None,
    birth_date: o.BirthDate = None,
    occupation: o.Occupation = None,
    locale: o.Locale = None,
    time_zone: o.TimeZone = None,
    kind: o.KindOption = None,
    valid_from: o.ValidFrom = None,
    valid_until: o.ValidUntil = None,
    email_verified_at: o.EmailVerified = None,
    phone_verified_at: o.PhoneVerified = None,
    managed_by: o.ManagedBy = None,
    add_tag: o.AddTag = None,
    external_id: o.AddExternalId = None,
    add_external_id: o.MoreExternalId = None,
    add_address: o.AddAddress = None,
    allow_confusable: o.AllowConfusable = False,
) -> Change:
    """Make sure that a user is there with these fields; a second run changes nothing.

    Examples:
    usermgmt user ensure alice --email alice@example.com
    """
    from usermgmt.domains.user import service

    return service.ensure(ctx, username, service.request(locals()))


@command(app, may=P.USER_READ, shows=USER_SHOWN, reveals=True)
def show(ctx: Context, user: o.User) -> Record:
    """Show one user with tags, ids, addresses, former names and notes.

    Examples:
    usermgmt user show alice
    usermgmt user show email:alice@example.com --json
    """
    from usermgmt.domains.user import lookup, queries

    return Record(queries.record(ctx, lookup.find(ctx, user)))


@command(app, may=P.USER_READ, shows=EXISTS)
def exists(ctx: Context, user: o.User) -> Record | None:
    """Tell by the exit code whether a user exists: 0 yes, 3 no. Nothing is printed unless a format is asked for.

    Examples:
    usermgmt user exists alice || usermgmt user add alice
    """
    from usermgmt.domains.user import lookup
    from usermgmt.domains.user.errors import UserNotFound

    found = None
    try:
        found = lookup.find(ctx, user)
    except UserNotFound:
        ctx.exit = Exit.NOT_FOUND
    return Record({"exists": found is not None, "id": found, "username": user}) if ctx.output.format else None


@command(app, "list", may=P.USER_READ, shows=USER, reveals=True)
def list_(
    ctx: Context,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    sort: Annotated[
        str, Option("--sort", help=N_("Order by id, username, created_at, status or valid_until; -FIELD descending."))
    ] = "id",
    limit: Limit = None,
) -> Listing:
    """List users; all of them, unless filtered.

    Examples:
    usermgmt user list --status active --tag vip
    usermgmt user list --search 张 --fields username,phone -o csv
    usermgmt user list --json --jq length
    """
    from usermgmt.domains.user import queries
    from usermgmt.domains.user.targets import Selection
    from usermgmt.kernel.usage import BadValue

    if sort.lstrip("-") not in queries.SORTS:
        choices = ", ".join(queries.SORTS)
        raise BadValue(
            name="--sort", problem=_("it must be one of {choices}").format(choices=choices), path="usermgmt user list"
        )
    selection = Selection((), status or (), tag or (), search, created_after)
    return queries.listing(ctx, selection.predicate(ctx), sort=sort, limit=limit)


@command(app, "set", may=P.USER_UPDATE, writes=True, versioned=True, confirms=True, shows=USER)
def set_(
    ctx: Context,
    users: o.Users = None,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    from_file: o.FromFile = "",
    email: o.Email = None,
    phone: o.Phone = None,
    display_name: o.DisplayName = None,
    full_name: o.FullName = None,
    gender: o.GenderOption = None,
    birth_date: o.BirthDate = None,
    occupation: o.Occupation = None,
    locale: o.Locale = None,
    time_zone: o.TimeZone = None,
    kind: o.KindOption = None,
    valid_from: o.ValidFrom = None,
    valid_until: o.ValidUntil = None,
    email_verified_at: o.EmailVerified = None,
    phone_verified_at: o.PhoneVerified = None,
    managed_by: o.ManagedBy = None,
    add_tag: o.AddTag = None,
    remove_tag: o.RemoveTag = None,
    set_tag: o.SetTag = None,
    external_id: o.AddExternalId = None,
    add_external_id: o.MoreExternalId = None,
    remove_external_id: o.RemoveExternalId = None,
    set_external_id: o.SetExternalId = None,
    add_address: o.AddAddress = None,
    remove_address: o.RemoveAddress = None,
    set_address: o.SetAddress = None,
    requested_by: o.RequestedBy = "",
) -> Change | Batch:
    """Change fields of users: an option left out leaves its field alone, an empty text clears it.

    Examples:
    usermgmt user set alice --phone +8613800138000
    usermgmt user set alice --occupation ""
    usermgmt user set --tag trainee --valid-until 2026-12-31 --yes
    """
    from usermgmt.domains.user import service, targets

    request = service.request(locals())
    chosen = targets.Selection(users or (), status or (), tag or (), search, created_after, from_file)
    return targets.each(
        ctx, chosen, lambda user: service.update(ctx, user, request), question=_("Change {count} users?")
    )


@command(app, may=P.USER_RENAME, writes=True, versioned=True, shows=USER)
def rename(
    ctx: Context,
    user: o.User,
    username: Annotated[str, Argument(help=N_("The new username."), metavar="NEW", show_default=False)],
    allow_confusable: o.AllowConfusable = False,
) -> Change:
    """Give a user another username; the former one stays reserved and resolves in the audit.

    Examples:
    usermgmt user rename alice alice.smith --reason "married"
    """
    from usermgmt.domains.user import lookup, service

    return service.rename(ctx, lookup.find(ctx, user), username, allow_confusable=allow_confusable)


@command(app, may=P.USER_SUSPEND, writes=True, versioned=True, confirms=True, shows=USER)
def suspend(
    ctx: Context,
    users: o.Users = None,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    from_file: o.FromFile = "",
) -> Change | Batch:
    """Suspend users: an operator's stop, until they are activated again.

    Examples:
    usermgmt user suspend alice --reason "chargeback"
    usermgmt user suspend --tag trial --yes
    """
    from usermgmt.domains.user import service, targets

    chosen = targets.Selection(users or (), status or (), tag or (), search, created_after, from_file)
    return targets.each(
        ctx, chosen, lambda user: service.move(ctx, user, E.USER_SUSPEND), question=_("Suspend {count} users?")
    )


@command(app, may=P.USER_ACTIVATE, writes=True, versioned=True, confirms=True, shows=USER)
def activate(
    ctx: Context,
    users: o.Users = None,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    from_file: o.FromFile = "",
) -> Change | Batch:
    """Activate users who are pending or suspended.

    Examples:
    usermgmt user activate alice --reason "settled"
    """
    from usermgmt.domains.user import service, targets

    chosen = targets.Selection(users or (), status or (), tag or (), search, created_after, from_file)
    return targets.each(
        ctx, chosen, lambda user: service.move(ctx, user, E.USER_ACTIVATE), question=_("Activate {count} users?")
    )


@command(app, may=P.USER_CLOSE, writes=True, versioned=True, confirms=True, shows=USER)
def close(
    ctx: Context,
    users: o.Users = None,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    from_file: o.FromFile = "",
) -> Change | Batch:
    """Close accounts of users who leave; the records are kept.

    Examples:
    usermgmt user close alice --reason "left the company" --yes
    """
    from usermgmt.domains.user import service, targets

    chosen = targets.Selection(users or (), status or (), tag or (), search, created_after, from_file)
    return targets.each(
        ctx, chosen, lambda user: service.move(ctx, user, E.USER_CLOSE), question=_("Close {count} accounts?"), grave=True
    )


@command(app, may=P.USER_ACTIVATE, writes=True, versioned=True, confirms=True, shows=USER)
def reopen(
    ctx: Context,
    users: o.Users = None,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    from_file: o.FromFile = "",
) -> Change | Batch:
    """Reopen closed accounts.

    Examples:
    usermgmt user reopen alice --reason "came back"
    """
    from usermgmt.domains.user import service, targets

    chosen = targets.Selection(users or (), status or (), tag or (), search, created_after, from_file)
    return targets.each(
        ctx, chosen, lambda user: service.move(ctx, user, E.USER_REOPEN), question=_("Reopen {count} accounts?")
    )


@command(app, may=P.USER_REMOVE, writes=True, confirms=True, shows=USER)
def remove(
    ctx: Context,
    users: o.Users = None,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    from_file: o.FromFile = "",
) -> Change | Batch:
    """Remove users who have no history that must be kept; close is for the others.

    Examples:
    usermgmt user remove test-user --yes
    """
    from usermgmt.domains.user import service, targets

    chosen = targets.Selection(users or (), status or (), tag or (), search, created_after, from_file)
    return targets.each(ctx, chosen, lambda user: service.remove(ctx, user), question=_("Remove {count} users?"), grave=True)


@command(app, may=P.USER_UPDATE, writes=True, versioned=True, confirms=True, shows=USER)
def tag(
    ctx: Context,
    users: o.Users = None,
    status: o.ByStatus = None,
    tag: o.ByTag = None,
    search: o.BySearch = "",
    created_after: o.CreatedAfter = "",
    from_file: o.FromFile = "",
    add_tag: o.AddTag = None,
    remove_tag: o.RemoveTag = None,
    set_tag: o.SetTag = None,
) -> Change | Batch:
    """Change the tags of users.

    Examples:
    usermgmt user tag alice bob --add-tag vip
    usermgmt user tag --tag trial --remove-tag trial --yes
    """
    from usermgmt.domains.user import service, targets

    lists = service.Lists(add_tags=add_tag or (), remove_tags=remove_tag or (), set_tags=set_tag)
    chosen = targets.Selection(users or (), status or (), tag or (), search, created_after, from_file)
    return targets.each(
        ctx, chosen, lambda user: service.retag(ctx, user, lists), question=_("Change the tags of {count} users?")
    )


@command(app, may=P.USER_UPDATE, writes=True, shows=USER)
def note(
    ctx: Context,
    user: o.User,
    text: Annotated[
        str, Option("--text", help=N_("The note; - reads it from standard input."), metavar="TEXT|-", show_default=False)
    ],
) -> Change:
    """Write a note about a user; user show lists them.

    Examples:
    usermgmt user note alice --text "called back on Monday"
    """
    from usermgmt.domains.user import lookup, service

    return service.note(ctx, lookup.find(ctx, user), ctx.read_text(text))


@command(app, may=P.AUDIT_READ, shows=ENTRY, reveals=True)
def history(
    ctx: Context, user: o.User, since: Since = "", until: Until = "", limit: Limit = None
) -> Listing:
    """Show what happened to a user: every entry of the audit, oldest first.

    Examples:
    usermgmt user history alice
    usermgmt user history alice --since 30d --json
    """
    from usermgmt.domains.user import lookup, queries
    from usermgmt.kernel.audit import entries

    ctx.target = queries.target(ctx, lookup.find(ctx, user))
    return entries.listing(ctx, entries.filters(ctx, target=ctx.target, since=since, until=until), limit=limit)
