"""Where the keys of encrypted stores are kept, and what the configuration wants encrypted."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from usermgmt.kernel import secret, sqlite, storekeys
from usermgmt.kernel.cipher import KEY_BYTES, StoreKey
from usermgmt.kernel.errors import Conflict, FileExists, Invalid, Unavailable, UsageProblem, UsermgmtError
from usermgmt.kernel.files import failure, private_directory, sync_directory, whole_file
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.settings import CREDENTIAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.secret import Given
    from usermgmt.kernel.store import Place

SHORTEST = 8
"""Characters that a passphrase has at least."""


class ServerEncrypts(Invalid):
    """The store {path} is a PostgreSQL database, which its server encrypts, or nobody."""

    code = "store.not_a_file"
    hint = N_("encrypt the disk of the server, or move to a SQLite store: usermgmt store backup FILE")


class NotEncrypted(Conflict):
    """The store {path} is not encrypted."""

    code = "store.not_encrypted"
    hint = N_("usermgmt store encrypt")


class MustBeEncrypted(Invalid):
    """The store {path} would be plain, and store.encryption is required."""

    code = "store.must_be_encrypted"
    hint = N_("usermgmt config set store.encryption optional, where that is meant")


def required(ctx: Context) -> bool:
    """Tell whether the configuration wants every SQLite store encrypted."""
    return ctx.settings.text("store.encryption") == "required"


def check_possible(at: Place) -> None:
    """Make sure that the store at ``at`` can be encrypted; raises ``ServerEncrypts``, ``NoCipher``."""
    if at.path is None:
        raise ServerEncrypts(path=at.label)
    sqlite.check_cipher(at.label)


def check_wanted(ctx: Context, at: Place, key: StoreKey | None) -> None:
    """Make sure that a store with this ``key``, None for a plain one, may be made; raises ``MustBeEncrypted``."""
    if key is None and required(ctx):
        raise MustBeEncrypted(path=at.label)


def new_key(ctx: Context, store_id: str) -> StoreKey:
    """Return a key that never was."""
    return StoreKey(store_id, ctx.random.bytes(KEY_BYTES))


def passphrase(ctx: Context, given: Given, *, wrap: bool) -> bytes | None:
    """Return the passphrase that a new key file is to have, None where it is to have none.

    Raises ``UsageProblem`` where one is wanted and nobody can be asked, ``Invalid``.
    """
    found = given.read(ctx)
    if found is None and wrap:
        if ctx.settings.ask is None:
            raise UsageProblem(
                problem=_("--wrap has no terminal to ask on"),
                hint=N_("give the passphrase with --password-stdin, --password-file or --password-fd"),
            )
        found = secret.prompt(ctx.streams, _("New passphrase of the key:"))
        if secret.prompt(ctx.streams, _("Once more:")) != found:
            raise Invalid(field="--wrap", problem=_("the two passphrases differ"))
    if found is not None and len(found.decode(errors="replace")) < SHORTEST:
        raise Invalid(field=_("passphrase"), problem=_("it is shorter than {n} characters").format(n=SHORTEST))
    return found


# -- files -------------------------------------------------------------------------------------------------------------


def place(ctx: Context, folder: Path, key_id: str) -> Path:
    """Return where a key belongs: at ``store.key_file``, but not among systemd's credentials, else in ``folder``."""
    chosen = ctx.settings.path("store.key_file")
    if chosen is None or ctx.settings.origin("store.key_file") == CREDENTIAL:
        return folder / storekeys.named(key_id)
    return chosen


def check_place(ctx: Context, folder: Path, store_id: str) -> None:
    """Make sure that a new key of the store can be put in its place; raises ``FileExists`` for what must stay."""
    path = place(ctx, folder, "new")
    if os.path.lexists(path):
        try:
            mine = storekeys.read(path).store_id == store_id
        except Unavailable:
            mine = False
        if not mine:
            raise FileExists(hint=N_("name another place with store.key_file"), path=path)


@contextmanager
def kept(ctx: Context, path: Path, key: StoreKey | None, passphrase: bytes | None, store: Path) -> Iterator[None]:
    """Write the file ``path`` with the key that ``store`` gets meanwhile, before any page is written with it.

    It is taken away again where the store did not get the key; a run that is killed may leave a key that nothing needs.
    """
    if key is None:
        yield
        return
    private_directory(path.parent)
    with whole_file(path) as stream:
        stream.write(storekeys.written(key, passphrase, ctx.random.bytes))
    if passphrase is not None:
        ctx.settings.known.append(passphrase)
    for folder in path.parents[1:3]:
        # they may be new as well: the key must not be lost with the power when the store is not
        with suppress(OSError):
            sync_directory(folder)
    try:
        yield
    except BaseException:
        if not _has(store, key):
            path.unlink(missing_ok=True)
            with suppress(OSError):
                # it may hold other keys
                path.parent.rmdir()
        raise


def _has(store: Path, key: StoreKey) -> bool:
    """Tell whether the file ``store`` is encrypted with ``key``, or may be."""
    try:
        return key.fits(store)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def settle(ctx: Context, folder: Path, key: StoreKey) -> Path:
    """Move the key that the store has got from ``folder`` to where it belongs, and return that place.

    A key that was there is kept beside it, since older backups need it. Where the place cannot be written to, the key
    stays in ``folder``, and that is said.
    """
    made, path = folder / storekeys.named(key.id), place(ctx, folder, key.id)
    if path == made:
        return made
    try:
        _replace(path, made.read_bytes(), key)
        made.unlink()
    except (UsermgmtError, OSError) as error:
        problem = error.message if isinstance(error, UsermgmtError) else failure(path, error).message
        ctx.warn(_("the new key stays in {folder}: {problem}").format(folder=folder, problem=problem))
        return made
    return path


def _replace(path: Path, data: bytes, key: StoreKey) -> None:
    if os.path.lexists(path):
        former = storekeys.read(path)
        if former.id != key.id:
            storekeys.write(storekeys.beside(path, former.id), path.read_bytes())
    storekeys.write(path, data)


def drop(ctx: Context, folder: Path, key: StoreKey) -> None:
    """Remove every file with ``key``; a credential is systemd's to remove, and that is said."""
    for path, credential in list(storekeys.candidates(ctx.settings, folder)):
        with suppress(Unavailable):
            if storekeys.read(path, credential=credential).id != key.id:
                continue
            if credential:
                ctx.warn(_("{path} still has the former key: give the service the new one").format(path=path))
            else:
                path.unlink()
                sync_directory(path.parent)
