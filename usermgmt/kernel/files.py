"""Files that the program writes: private, whole or absent, never through a planted link."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from usermgmt.kernel.errors import DiskFull, FileExists, FileMissing, FileUnreadable, UsermgmtError, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def failure(path: Path, error: OSError) -> UsermgmtError:
    """Return our error for what went wrong with ``path``."""
    if error.errno in _FULL:
        return DiskFull(problem=f"{path}: {said(error)}")
    if isinstance(error, FileExistsError):
        return FileExists(path=path)
    if isinstance(error, FileNotFoundError):
        return FileMissing(path=path.parent if not path.parent.exists() else path)
    return FileUnreadable(path=path, problem=said(error))


@contextmanager
def whole_file(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """Give a stream whose bytes become ``path`` at the end, at once and with mode 0600, or not at all.

    It can be read as well, by whoever wants to see first what was written.
    Raises ``FileExists`` where the file is there and ``replace`` is false, ``FileMissing`` for a missing directory,
    ``DiskFull``, ``FileUnreadable``.
    """
    if path.is_symlink() or (path.exists() and not replace):
        raise FileExists(path=path)
    made = ""
    try:
        descriptor, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _publish(Path(made), path, replace=replace)
        made = ""
    except OSError as error:
        raise failure(path, error) from None
    finally:
        if made:
            Path(made).unlink(missing_ok=True)


def _publish(made: Path, path: Path, *, replace: bool) -> None:
    if replace:
        made.replace(path)
    else:
        # link refuses an existing name, rename would not
        os.link(made, path)
        made.unlink()
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_directory(folder: Path) -> None:
    """Make ``folder`` with mode 0700 where it is missing; raises ``FileUnreadable``, ``DiskFull``."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from None
