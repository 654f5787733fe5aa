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
from usermgmt.kernel.text import whole

app = tree.group("user")


@command(app, may=P.USER_CREATE, writes=True, shows=USER)
def add(
    ctx: Context,
    username: o.NewName,
    profile: o.Profile,
    lists: o.NewLists,
    allow_confusable: o.AllowConfusable = False,
    if_exists: Annotated[
        IfExists, Option("--if-exists", help=N_("What to do about a record that is there already and differs."))
    ] = IfExists.FAIL,
) -> Change:
    """Add a user, active unless told otherwise.

    Examples:
    usermgmt user add alice --email alice@example.com
    usermgmt user add 张伟 --phone +8613800138000 --add-tag vip
    usermgmt user add 李娜 --attribute department=sales --attribute hired=2024-03-01
    usermgmt user add backup-job --kind service --valid-until 90d
    """
    from usermgmt.domains.user import service

    return service.add(ctx, username, o.request(profile, lists, allow_confusable=allow_confusable), if_exists)


@command(app, may=P.USER_CREATE, writes=True, shows=USER)
def ensure(
    ctx: Context,
    username: o.NewName,
    profile: o.Profile,
    lists: o.NewLists,
    allow_confusable: o.AllowConfusable = False,
) -> Change:
    """Make sure that a user is there with these fields; a second run changes nothing.

    Examples:
    usermgmt user ensure alice --email alice@example.com
    """
    from usermgmt.domains.user import service

    return service.ensure(ctx, username, o.request(profile, lists, allow_confusable=allow_confusable))


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
def exists(ctx: Context, user: o.User) -> Record | Listing | None:
    """Tell by the exit code whether a user exists: 0 yes, 3 no. Nothing is printed unless a format is asked for.

    Examples:
    usermgmt user exists alice || usermgmt user add alice
    """
    from usermgmt.domains.user import lookup
    from usermgmt.domains.user.errors import UserNotFound

    found = None
    try:
        found = lookup.find(ctx, user, near=False)
    except UserNotFound:
        ctx.exit = Exit.NOT_FOUND
    output = ctx.output
    if output.format == "count":
        return Listing(ctx.fields, [] if found is None else [(found,)])
    wanted = output.format or output.fields or output.jq
    return Record({"exists": found is not None, "id": found, "username": whole(user)}) if wanted else None


@command(app, "list", may=P.USER_READ, shows=USER, reveals=True)
def list_(
    ctx: Context,
    filters: o.Filters,
    sort: Annotated[
        str, Option("--sort", help=N_("Order by id, username, created_at, status or valid_until; -FIELD descending."))
    ] = "id",
    limit: Limit = None,
) -> Listing:
    """List users; all of them, unless filtered.

    Examples:
    usermgmt user list --attribute department=sales --attribute "hired<2020-01-01"
    usermgmt user list --org 华东
    usermgmt user list --search 张 --fields username,phone -o csv
    usermgmt user list --where 'status == "active" && "vip" in tags'
    usermgmt user list --json --jq length
    """
    from usermgmt.domains.user import queries, targets

    return queries.listing(ctx, targets.predicate(ctx, filters), sort=queries.checked_sort(sort), limit=limit)


@command(app, "set", may=P.USER_UPDATE, writes=True, versioned=True, confirms=True, shows=USER)
def set_(
    ctx: Context, whom: o.WhomToChange, profile: o.Profile, lists: o.ChangedLists, requested_by: o.RequestedBy = ""
) -> Change | Batch:
    """Change fields of users: an option left out leaves its field alone, an empty text clears it.

    Examples:
    usermgmt user set alice --phone +8613800138000
    usermgmt user set alice --occupation ""
    usermgmt user set alice --org 华东/销售
    usermgmt user set alice --add-attribute department=sales --remove-attribute badge_number
    usermgmt user set --tag trainee --valid-until 2026-12-31 --yes
    """
    from usermgmt.domains.user import service, targets

    o.required(whom, profile, lists)
    request = o.request(profile, lists, requested_by=requested_by)
    return targets.each(ctx, whom, lambda user: service.update(ctx, user, request), question=_("Change {count} users?"))


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
def suspend(ctx: Context, whom: o.Whom) -> Change | Batch:
    """Suspend users: an operator's stop, until they are activated again.

    Examples:
    usermgmt user suspend alice --reason "chargeback"
    usermgmt user suspend --tag trial --yes
    usermgmt user suspend --where 'created_at < now - duration("8760h")' --dry-run
    """
    from usermgmt.domains.user import service, targets

    question = _("Suspend {count} users?")
    return targets.each(ctx, whom, lambda user: service.move(ctx, user, E.USER_SUSPEND), question=question)


@command(app, may=P.USER_ACTIVATE, writes=True, versioned=True, confirms=True, shows=USER)
def activate(ctx: Context, whom: o.Whom) -> Change | Batch:
    """Activate users who are pending or suspended.

    Examples:
    usermgmt user activate alice --reason "settled"
    """
    from usermgmt.domains.user import service, targets

    question = _("Activate {count} users?")
    return targets.each(ctx, whom, lambda user: service.move(ctx, user, E.USER_ACTIVATE), question=question)


@command(app, may=P.USER_CLOSE, writes=True, versioned=True, confirms=True, shows=USER)
def close(ctx: Context, whom: o.Whom) -> Change | Batch:
    """Close accounts of users who leave; the records are kept.

    Examples:
    usermgmt user close alice --reason "left the company" --yes
    """
    from usermgmt.domains.user import service, targets

    question = _("Close {count} accounts?")
    return targets.each(ctx, whom, lambda user: service.move(ctx, user, E.USER_CLOSE), question=question, grave=True)


@command(app, may=P.USER_ACTIVATE, writes=True, versioned=True, confirms=True, shows=USER)
def reopen(ctx: Context, whom: o.Whom) -> Change | Batch:
    """Reopen closed accounts.

    Examples:
    usermgmt user reopen alice --reason "came back"
    """
    from usermgmt.domains.user import service, targets

    question = _("Reopen {count} accounts?")
    return targets.each(ctx, whom, lambda user: service.move(ctx, user, E.USER_REOPEN), question=question)


@command(app, may=P.USER_REMOVE, writes=True, versioned=True, confirms=True, shows=USER)
def remove(ctx: Context, whom: o.Whom) -> Change | Batch:
    """Remove users who have no history that must be kept; close is for the others.

    Examples:
    usermgmt user remove test-user --yes
    """
    from usermgmt.domains.user import service, targets

    question = _("Remove {count} users?")
    return targets.each(ctx, whom, lambda user: service.remove(ctx, user), question=question, grave=True)


@command(app, may=P.USER_UPDATE, writes=True, versioned=True, confirms=True, shows=USER)
def tag(ctx: Context, whom: o.Whom, tags: o.Tags) -> Change | Batch:
    """Change the tags of users.

    Examples:
    usermgmt user tag alice bob --add-tag vip
    usermgmt user tag --tag trial --remove-tag trial --yes
    """
    from usermgmt.domains.user import service, targets

    o.required(whom, tags)
    lists = o.lists(tags)
    question = _("Change the tags of {count} users?")
    return targets.each(ctx, whom, lambda user: service.retag(ctx, user, lists), question=question)


@command(app, may=P.USER_UPDATE, writes=True, versioned=True, shows=USER)
def note(
    ctx: Context,
    user: o.User,
    text: Annotated[
        str,
        Option("--text", help=N_("The note; - reads it from standard input."), metavar="TEXT|-", show_default=False),
    ],
) -> Change:
    """Write a note about a user; user show lists them.

    Examples:
    usermgmt user note alice --text "called back on Monday"
    """
    from usermgmt.domains.user import lookup, service

    return service.note(ctx, lookup.find(ctx, user), ctx.read_text(text))


@command(app, may=P.AUDIT_READ, shows=ENTRY, reveals=True)
def history(ctx: Context, user: o.User, since: Since = "", until: Until = "", limit: Limit = None) -> Listing:
    """Show what happened to a user: every entry of the audit, oldest first.

    A former name will do, and so will the uid of a user who was removed.

    Examples:
    usermgmt user history alice
    usermgmt user history alice --since 30d --json
    """
    from usermgmt.domains.user import targets
    from usermgmt.kernel.audit import entries

    ctx.target = targets.of_history(ctx, user)
    entries.tell_removed(ctx, since)
    return entries.listing(ctx, entries.filters(ctx, targets=(ctx.target,), since=since, until=until), limit=limit)
