"""Writers in line: who comes first writes first, however many wait for a SQLite store.

SQLite itself lets writers try again after a pause that grows, so that a newcomer passes those who wait. Before
``BEGIN IMMEDIATE`` a writer therefore draws a ticket, which is a lock on one byte of an empty file beside the store, at
the offset that the monotonic clock shows; its turn is come when no byte before that is locked. The kernel drops the
locks of a process however it ends, so that there is nothing to clean up, and nothing is ever written to the file.

Jobs that go on for longer than a transaction hold bytes of the same file, beyond all tickets, so that others can tell
whether such a job is alive.

The line makes waiting fair and nothing else: what keeps writers apart is SQLite's own lock. Programs that do not stand
in line, and a line that cannot be had (a directory that takes no new file), are left to SQLite's busy handler.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from usermgmt.kernel.errors import StoreBusy, UnsafeStore
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SUFFIX = "-line"
_FLOCK = struct.Struct("@hhqqi")  # struct flock of fcntl(2): type, whence, start, length, process
_CAREFUL = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_JOBS = 1 << 62
"""Bytes from here on are jobs: the monotonic clock will not have come to them in a hundred years."""
_STEP = 0.0005
"""Seconds between two looks for whoever is next; each writer ahead makes it as much longer."""
_FAR = 16
"""Writers ahead beyond which the pause grows no more."""


def beside(store: Path) -> Path:
    """Return the path of the file that writers of ``store`` stand in line by."""
    return store.with_name(store.name + SUFFIX)


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of one writer; ``left`` are the seconds of its patience that are left to wait for SQLite's own lock."""

    left: float
    _file: int | None = None
    _ticket: int = 0

    def waited_for(self) -> bool:
        """Tell whether somebody stands in line behind; also where nobody can tell."""
        return self._file is None or _holder(self._file, self._ticket + 1, _JOBS) is not None


@contextmanager
def turn(store: Path, patience: float) -> Iterator[Turn]:
    """Wait in line to write to ``store``, and keep the turn to the end.

    Raises ``StoreBusy`` when ``patience`` seconds were not enough, ``UnsafeStore`` for a planted file.
    """
    limit = time.monotonic() + patience
    file = _open(store)
    if file is None:
        yield Turn(patience)
        return
    try:
        ticket = _ticket(file)
        _wait(file, ticket, limit, patience)
        yield Turn(max(limit - time.monotonic(), 0.0), file, ticket)
    finally:
        os.close(file)


@contextmanager
def job(store: Path, number: int) -> Iterator[bool]:
    """Hold the job ``number``, less than 2**60, to the end; gives False where somebody else has it.

    Two who come at the same instant may both be told so. Raises ``UnsafeStore`` for a planted file.
    """
    file = _open(store)
    if file is None:
        yield True
        return
    try:
        _lock(file, _JOBS + number)
        yield _holder(file, _JOBS + number, _JOBS + number + 1) is None
    finally:
        os.close(file)


def jobs(store: Path, numbers: Iterable[int]) -> set[int]:
    """Return those of the jobs ``numbers`` that somebody holds."""
    file = _open(store)
    if file is None:
        return set()
    try:
        return {one for one in numbers if _holder(file, _JOBS + one, _JOBS + one + 1) is not None}
    finally:
        os.close(file)


def _open(store: Path) -> int | None:
    """Open the file beside ``store``, making it where it is missing; None where the directory takes none."""
    path = beside(store)
    try:
        file = _existing_or_new(path, store)
    except OSError:
        if path.is_symlink():
            raise UnsafeStore(path=path, problem=_("it is a symbolic link")) from None
        return None
    info = os.fstat(file)
    if stat.S_ISREG(info.st_mode):
        return file
    os.close(file)
    raise UnsafeStore(path=path, problem=_("it is not a regular file"))


def _existing_or_new(path: Path, store: Path) -> int:
    with suppress(FileNotFoundError):
        return os.open(path, _CAREFUL)
    try:
        file = os.open(path, _CAREFUL | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        # another one was faster
        return os.open(path, _CAREFUL)
    if os.geteuid() == 0:
        # as SQLite does with its journals: what root made must not shut the store's own account out
        owner = store.lstat()
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


# Locks of open file descriptions (fcntl(2)): those of a process would be lost with any descriptor that it closes, and
# would not keep apart two stores that one process has open. Shared ones, so that a descriptor for reading will do.


def _ticket(file: int) -> int:
    ticket = time.monotonic_ns()
    _lock(file, ticket)
    return ticket


def _lock(file: int, at: int) -> None:
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, at, 1, 0))


def _wait(file: int, ticket: int, limit: float, patience: float) -> None:
    while ahead := _ahead(file, ticket):
        left = limit - time.monotonic()
        if left <= 0:
            raise StoreBusy(seconds=f"{patience:g}")
        time.sleep(min(ahead * _STEP, left))


def _ahead(file: int, ticket: int) -> int:
    """Return how many tickets come before ``ticket``, counted to ``_FAR``."""
    count, spans = 0, [(0, ticket)]
    while spans and count < _FAR:
        start, end = spans.pop()
        found = _holder(file, start, end)
        if found is not None:
            count += 1
            spans += [(start, found), (found + 1, end)]
    return count


def _holder(file: int, start: int, end: int) -> int | None:
    """Return an offset between ``start`` and ``end`` that another holds, not always the first."""
    if start >= end:
        # a length of 0 would mean all the rest
        return None
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, end - start, 0)
    kind, _whence, at, _length, _process = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else at
