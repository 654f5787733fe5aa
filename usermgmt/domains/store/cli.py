"""The ``store`` commands."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from usermgmt.domains.store.options import Wrap
from usermgmt.domains.store.views import BACKUP, COPIED, MIGRATION, RECODED, RESTORED, STORE
from usermgmt.kernel import tree
from usermgmt.kernel.command import command
from usermgmt.kernel.context import Context
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.permissions import P
from usermgmt.kernel.results import Change, Record
from usermgmt.kernel.secret import Given

app = tree.group("store")


@command(app, may=P.STORE_READ, opens=False, finds=True, shows=STORE)
def info(ctx: Context) -> Record:
    """Show what the store is: its place, id, lineage, schema, audit head, rows and size.

    The backup of a store can be looked at too.

    Examples:
    usermgmt store info
    usermgmt --store backup.db store info --json
    """
    from usermgmt.domains.store import info as service

    return Record(service.info(ctx))


@command(app, may=P.STORE_MIGRATE, old=True, chunks=True, shows=MIGRATION)
def migrate(
    ctx: Context,
    backup: Annotated[
        str,
        Option("--backup", help=N_("Where the backup goes; beside the store unless told otherwise."), metavar="FILE"),
    ] = "",
) -> Change:
    """Bring an older schema to this program's, after a verified backup.

    All steps or none: killed at any moment, the store is the old one or the new one. Up to date, it changes nothing.

    Examples:
    usermgmt store migrate --dry-run
    usermgmt store migrate --backup before.db
    """
    from usermgmt.domains.store import migrate as service

    return service.migrate(ctx, ctx.path(backup) if backup else None)


@command(app, may=P.STORE_BACKUP, chunks=True, shows=BACKUP)
def backup(
    ctx: Context,
    file: Annotated[str, Argument(help=N_("The new file of the backup."), metavar="FILE", show_default=False)],
) -> Change:
    """Back the store up into a new file, while others go on writing.

    The file is a store by itself, also where the store is a PostgreSQL database. It is verified before it appears, with
    FILE.manifest.json beside it: its SHA-256, rows and audit head, signed by the store's key.

    Examples:
    usermgmt store backup backup.db
    usermgmt store backup /mnt/backups/store.db --json
    """
    from usermgmt.domains.store import backup as service

    return service.backup(ctx, ctx.path(file))


@command(app, may=P.STORE_COPY, chunks=True, shows=COPIED)
def copy_to(
    ctx: Context,
    target: Annotated[
        str,
        Argument(help=N_("A path where nothing is, or the URL of an empty database."), metavar="URL|FILE",
                 show_default=False),
    ],
) -> Change:  # fmt: skip
    """Copy the store to another place, from SQLite to PostgreSQL or back, while others go on with it.

    The copy is of one moment, verified before it is there, and a new lineage of the store, with the same key. Killed at
    any moment, there is no copy. To move, stop what writes, copy, and set store.url to the new place.

    Examples:
    usermgmt store copy-to postgresql+psycopg:///usermgmt --dry-run
    usermgmt store copy-to /srv/usermgmt/store.db
    """
    from usermgmt.domains.store import copy_to as service

    return service.copy_to(ctx, target)


@command(app, may=P.STORE_RESTORE, opens=False, finds=True, chunks=True, confirms=True, shows=RESTORED)
def restore(
    ctx: Context,
    file: Annotated[
        str,
        Argument(help=N_("The backup, or - for standard input."), metavar="FILE", show_default=False),
    ],
) -> Change:
    """Put a verified backup in the place of the store, as a new lineage of it.

    Everything since the backup is taken back; an entry in the audit says what was replaced. Also works where the store
    is missing, damaged or older than its anchors. A backup of an older schema is brought forward.

    Examples:
    usermgmt store restore backup.db --dry-run
    usermgmt store restore backup.db --reason "disk failed" --yes
    """
    from usermgmt.domains.store import restore as service

    return service.restore(ctx, file)


@command(app, may=P.STORE_ENCRYPT, chunks=True, shows=RECODED)
def encrypt(ctx: Context, wrap: Wrap = False, *, given: Given) -> Change:
    """Encrypt the store's file with a new key, which is kept in a file of its own.

    Others wait until it is done. Killed at any moment, the store is the old file or the new one. Whoever loses the key
    loses the store: keep a copy of it elsewhere. Backups made before stay plain.

    Examples:
    usermgmt store encrypt --dry-run
    usermgmt store encrypt
    usermgmt store encrypt --password-file /root/passphrase
    """
    from usermgmt.domains.store import keeping, recoding

    return recoding.encrypt(ctx, keeping.passphrase(ctx, given, wrap=wrap))


@command(app, may=P.STORE_ENCRYPT, chunks=True, shows=RECODED)
def decrypt(ctx: Context) -> Change:
    """Make the store a plain file again.

    The key stays where it is: backups that were made with it need it.

    Examples:
    usermgmt store decrypt --dry-run
    usermgmt store decrypt --reason "moved to an encrypted disk"
    """
    from usermgmt.domains.store import recoding

    return recoding.decrypt(ctx)


@command(app, may=P.STORE_ENCRYPT, chunks=True, shows=RECODED)
def rekey(
    ctx: Context,
    wrap: Wrap = False,
    drop_old_key: Annotated[
        bool, Option("--drop-old-key", help=N_("Remove the former key; older backups cannot be read then."))
    ] = False,
    *,
    given: Given,
) -> Change:
    """Encrypt an encrypted store with another key.

    Others wait until it is done. Killed at any moment, the store has the old key or the new one: run it again.

    Examples:
    usermgmt store rekey --dry-run
    usermgmt store rekey --reason "an administrator left" --drop-old-key
    """
    from usermgmt.domains.store import keeping, recoding

    return recoding.rekey(ctx, keeping.passphrase(ctx, given, wrap=wrap), drop=drop_old_key)
