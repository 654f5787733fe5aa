"""The ``audit`` commands."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from usermgmt.domains.audit.types import ExportFormat, Outcome
from usermgmt.domains.audit.views import CHECKPOINT, ENTRY_SHOWN, PRUNED, VERIFIED
from usermgmt.domains.user.complete import usernames
from usermgmt.kernel import complete, tree
from usermgmt.kernel.audit.view import ENTRY
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.events import E
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.options import Limit, Since, Until
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Bytes, Change, Listing, Record

app = tree.group("audit")


@command(app, "list", may=P.AUDIT_READ, shows=ENTRY, reveals=True)
def list_(
    ctx: Context,
    since: Since = "",
    until: Until = "",
    actor: Annotated[
        str, Option("--actor", help=N_("By this actor: owner, root, job:JOB, operator:UID."), metavar="ACTOR")
    ] = "",
    action: Annotated[
        str,
        Option("--action", help=N_("This action, as user.add."), metavar="ACTION", autocompletion=complete.choices(E)),
    ] = "",
    target: Annotated[
        str,
        Option(
            "--target",
            help=N_("About this user, also by a former name or one since removed; or about the store."),
            metavar="USER|TARGET",
            autocompletion=usernames,
        ),
    ] = "",
    outcome: Annotated[
        Outcome | None, Option("--outcome", help=N_("Ended so: ok, denied or failed."), case_sensitive=False)
    ] = None,
    change_id: Annotated[str, Option("--change-id", help=N_("Of this invocation."), metavar="ID")] = "",
    limit: Limit = None,
) -> Listing:
    """List the entries of the audit, oldest first.

    Examples:
    usermgmt audit list --since 1d --outcome denied
    usermgmt audit list --target alice --json
    usermgmt audit list --action user.remove --fields seq,at,actor,target
    """
    from usermgmt.domains.audit import targets
    from usermgmt.kernel.audit import entries

    meant = targets.resolve(ctx, target) if target else []
    ctx.target = meant[0] if len(meant) == 1 else ""
    equal = {"actor": actor, "action": action, "outcome": outcome.value if outcome else "", "change_id": change_id}
    entries.tell_removed(ctx, since)
    wanted = entries.filters(ctx, since=since, until=until, targets=meant, **equal)
    return entries.listing(ctx, wanted, limit=limit)


@command(app, may=P.AUDIT_READ, shows=ENTRY_SHOWN, reveals=True)
def show(
    ctx: Context,
    seq: Annotated[int, Argument(help=N_("The number of the entry."), metavar="SEQ", min=1, show_default=False)],
) -> Record:
    """Show one entry whole, with its hash and its personal parts, and whether they hold.

    Examples:
    usermgmt audit show 1
    """
    from usermgmt.domains.audit import showing

    return Record(showing.entry(ctx, seq))


@command(app, may=P.AUDIT_READ, shows=ENTRY, reveals=True, polls="follow")
def tail(
    ctx: Context,
    limit: Annotated[
        int, Option("--limit", help=N_("So many (20 unless told otherwise)."), metavar="N", min=0, show_default=False)
    ] = 20,
    follow: Annotated[
        bool, Option("--follow", "-f", help=N_("Then show each new entry as it comes, until interrupted."))
    ] = False,
) -> Listing:
    """Show the newest entries, the oldest of them first.

    With --follow it ends by a signal (130, 143) or when its reader goes (141). Entries that a restore took back are not
    shown again: what begins the new lineage is, and a warning says so.

    Examples:
    usermgmt audit tail
    usermgmt audit tail --limit 100 --fields at,actor,action,target_name
    usermgmt audit tail -f -o ndjson | logger -t usermgmt
    """
    from usermgmt.domains.audit import following
    from usermgmt.kernel.audit import entries

    if follow:
        return following.follow(ctx, limit)
    return entries.listing(ctx, entries.filters(ctx), limit=limit, last=True)


@command(app, may=P.AUDIT_VERIFY, checks=True, shows=VERIFIED)
def verify(
    ctx: Context,
    state: Annotated[
        bool, Option("--state", help=N_("Also compare every user with what the entries about them give."))
    ] = False,
    anchor: Annotated[
        str, Option("--anchor", help=N_("A checkpoint or anchor file that was kept elsewhere."), metavar="FILE")
    ] = "",
) -> Record:
    """Verify the audit: every entry, the head, the anchors; exit code 12 where anything does not hold.

    It reads the whole log. Against somebody who could rewrite store and anchors alike only --anchor helps, with a file
    that they could not reach.

    Examples:
    usermgmt audit verify
    usermgmt audit verify --state --anchor checkpoint.json
    """
    from usermgmt.domains.audit import verify as verifying

    return verifying.verify(ctx, state=state, given=anchor)


@command(app, may=P.AUDIT_CHECKPOINT, writes=True, shows=CHECKPOINT)
def checkpoint(
    ctx: Context,
    out: Annotated[
        str, Option("--out", help=N_("The new file; - is standard output."), metavar="FILE", show_default=False)
    ],
) -> Change | Bytes:
    """Write the signed head of the audit to a file that is to be kept elsewhere, for audit verify --anchor.

    Examples:
    usermgmt audit checkpoint --out checkpoint.json
    usermgmt audit checkpoint --out - | ssh witness 'cat >> usermgmt.anchors'
    """
    from usermgmt.domains.audit import checkpoint as checkpoints

    return checkpoints.checkpoint(ctx, out)


@command(app, may=P.AUDIT_EXPORT, reasoned=True)
def export(
    ctx: Context,
    format_: Annotated[
        ExportFormat,
        Option("--output", "-o", help=N_("Format: ndjson, cef or ecs."), case_sensitive=False, show_default=False),
    ] = ExportFormat.NDJSON,
    out: Annotated[
        str, Option("--out", help=N_("A new file instead of standard output."), metavar="FILE", show_default=False)
    ] = "",
) -> Bytes | None:
    """Export the whole audit, for readers who check it without this program, or for a system that gathers logs.

    ndjson has everything, personal parts unmasked; usermgmt help verifier prints the program that checks it. cef
    (ArcSight) and ecs (Elastic, as NDJSON) have no personal values and cannot be checked. The export leaves an entry.

    Examples:
    usermgmt audit export --out audit.ndjson --reason "yearly examination"
    usermgmt audit export | gzip > audit.ndjson.gz
    usermgmt audit export -o cef | logger -t usermgmt
    """
    from usermgmt.domains.audit import export as exporting

    return exporting.export(ctx, format_, out)


@command(app, may=P.AUDIT_PRUNE, chunks=True, confirms=True, shows=PRUNED)
def prune(
    ctx: Context,
    before: Annotated[
        str,
        Option(
            "--before",
            help=N_("Remove what is older; no later than audit.retention ago."),
            metavar="TIME",
            show_default=False,
        ),
    ],
    archive: Annotated[
        str,
        Option("--archive", help=N_("The new file that keeps what is removed."), metavar="FILE", show_default=False),
    ],
) -> Change:
    """Remove the oldest entries of the audit, after they were written to an archive and read again.

    Nothing younger than audit.retention (180d unless set otherwise) can be removed, and nothing from an audit that does
    not hold. The archive is an export, with everybody's personal parts; usermgmt help verifier prints what checks it.

    Examples:
    usermgmt audit prune --before 180d --archive audit-2026-06.ndjson --dry-run
    usermgmt audit prune --before 2026-01-01 --archive audit-2025.ndjson --yes --reason "yearly"
    """
    from usermgmt.domains.audit import prune as pruning

    return pruning.prune(ctx, before, archive)
