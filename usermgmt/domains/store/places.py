"""Where copies of a store are made before they get their name: private directories beside it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from usermgmt.kernel import sqlite
from usermgmt.kernel.errors import DiskFull, FileExists, FileMissing, FileUnreadable
from usermgmt.kernel.files import failure, sync_directory
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite may leave beside a store's file; never to be taken for that of another file of the name."""


@contextmanager
def workspace(folder: Path, name: str) -> Iterator[Path]:
    """Give a private directory in ``folder`` that is gone at the end; ``name`` says what it was for.

    Errors of the file system and of SQLite that come up in it are raised as ours.
    """
    made = ""
    try:
        # a directory of its own takes the journals along, whatever happens
        made = mkdtemp(prefix=f".{name}.", dir=folder)
        with _claimed(Path(made)), sqlite.guarded(0):
            yield Path(made)
    except OSError as error:
        raise failure(Path(error.filename or folder / name), error) from None
    finally:
        if made:
            shutil.rmtree(made, ignore_errors=True)


def sync(path: Path) -> None:
    """Make the bytes of a file durable."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold a lock on a work directory, which the kernel lets go when the process ends, however it does."""
    descriptor = os.open(folder, _DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_claimed(folder: Path) -> bool:
    """Tell whether a living process works in the work directory ``folder``."""
    descriptor = os.open(folder, _DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_abandoned(folder: Path, name: str) -> bool:
    """Tell whether ``folder`` is a work directory for ``name`` as ``workspace`` makes them, of a process that ended."""
    info = folder.lstat()
    made_here = re.fullmatch(rf"\.{re.escape(name)}\.[a-z0-9_]{{8}}", folder.name)
    private = stat.S_ISDIR(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o700 and info.st_uid == os.geteuid()
    return bool(made_here) and private and not is_claimed(folder)


def publish(made: Path, path: Path) -> None:
    """Give the finished file ``made`` its name, at once and for good; raises ``FileExists`` where it is taken."""
    sync(made)
    try:
        # link refuses an existing name, rename would not
        os.link(made, path, follow_symlinks=False)
    except OSError as error:
        raise failure(path, error) from None
    sync_directory(path.parent)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_free(path: Path, size: int) -> None:
    """Make sure that a file of ``size`` bytes can be made at ``path``.

    Raises ``FileExists``, ``FileMissing``, ``FileUnreadable``, ``DiskFull``.
    """
    if os.path.lexists(path):
        raise FileExists(path=path)
    folder = path.parent
    if not folder.is_dir():
        raise FileMissing(path=folder)
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise FileUnreadable(path=folder, problem=_("it cannot be written to"))
    found = os.statvfs(folder)
    if found.f_bavail * found.f_frsize < size:
        raise DiskFull(problem=_("{path} has no room for {size} bytes").format(path=folder, size=size))
