"""Signed anchors: lines in a file outside the store that say how far its audit log had come, and with which hash."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from usermgmt.kernel.audit.keys import key_id, signs, why
from usermgmt.kernel.errors import Unavailable, UsermgmtError
from usermgmt.kernel.files import private_directory
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SIGNED_PREFIX = b"usermgmt/anchor/v1\0"
COMPACT_BYTES = 1 << 20
"""Whenever a line carries the file across a multiple of this size, the file is thinned out."""
PATIENCE = 5.0
"""Seconds to wait for another process that is writing its anchor."""

_TAIL = 4096
# a planted link is refused, a planted FIFO does not make us wait
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_COUNT = "(?:0|[1-9][0-9]{0,17})"
_SHAPES = {
    "at": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z",
    "hash": "[0-9a-f]{64}",
    "key": "[0-9a-f]{16}",
    "lineage": _COUNT,
    "n": _COUNT,
    "root": "[0-9a-f]{64}",
    "sig": "[0-9a-f]{128}",
    "store": "[0-9A-Za-z._-]{1,64}",
}
# no value needs an escape, so that one pattern is the whole grammar, and faster than a JSON parser
_LINE = re.compile(
    '{{"at":"({at})","hash":"({hash})","key":"({key})","lineage":({lineage}),"n":({n}),"root":"({root})",'
    '"sig":"({sig})","store":"({store})"}}\\s*'.format(**_SHAPES)
)


class AnchorFault(Unavailable):
    """The anchor file {path} cannot be used: {problem}."""

    code = "anchor.unusable"
    hint = N_("usermgmt doctor shows what to mend")


class Anchor(NamedTuple):
    """What was true at ``at``: the log of ``store``, restored ``lineage - 1`` times, had ``n`` entries.

    ``hash`` is that of entry ``n``, ``root`` the Merkle root, ``key`` the id of the key that signed, ``sig`` its
    Ed25519 signature (RFC 8032), all hex; the last two are empty until ``Key.sign`` fills them in.
    """

    store: str
    lineage: int
    n: int
    hash: str
    root: str
    at: str
    key: str = ""
    sig: str = ""

    def as_dict(self) -> dict[str, str | int]:
        """Return the anchor as it stands in an export."""
        return self._asdict()

    def line(self) -> bytes:
        """Return the anchor as a line of the anchor file, and as the whole of a checkpoint file.

        Raises ``ValueError`` where a value has not the form that ``docs/audit-format.md`` gives it.
        """
        line = f'{self._start()}"sig":"{self.sig}","store":"{self.store}"}}\n'
        if not _LINE.fullmatch(line):
            raise ValueError(line)
        return line.encode()

    def signed_bytes(self) -> bytes:
        """Return what the signature is over: everything but the signature itself."""
        return SIGNED_PREFIX + f'{self._start()}"store":"{self.store}"}}'.encode()

    def _start(self) -> str:
        return (
            f'{{"at":"{self.at}","hash":"{self.hash}","key":"{self.key}","lineage":{self.lineage},"n":{self.n},'
            f'"root":"{self.root}",'
        )

    @classmethod
    def parse(cls, line: bytes) -> Anchor:
        """Read a line; raises ``ValueError`` for anything that ``line`` does not write."""
        match = _LINE.fullmatch(line.decode("ascii"))
        if match is None:
            raise ValueError(N_("not an anchor"))
        at, hash_, key, lineage, n, root, sig, store = match.groups()
        return cls(store, int(lineage), int(n), hash_, root, at, key, sig)


@dataclass(frozen=True, slots=True)
class Reading:
    """All anchors of a file in order, and the numbers of lines that are none: torn by a crash, or meddled with.

    ``torn`` is the number of a last line that has no end, 0 where there is none.
    """

    anchors: list[Anchor]
    unreadable: list[int]
    torn: int = 0


def append(path: Path, anchor: Anchor, sign: Callable[[Anchor], Anchor], *, patience: float = PATIENCE) -> bool:
    """Sign ``anchor`` and add it to the file ``path``; return whether it was written.

    Anchors go forwards only: one of an older lineage, or with a smaller ``n`` than the last of the same lineage, or one
    that repeats the last, is left out, since the process that wrote the last one knew more. Not fsynced: what a power
    cut takes is an anchor, never a change. Raises ``AnchorFault``.
    """
    line = sign(anchor).line()
    with _faults(path), _directory(path.parent) as folder, _locked(folder, path.name, patience) as file:
        if not _is_news(_last(file), anchor):
            return False
        before = os.fstat(file).st_size
        after = _write(file, before, line)
        if before // COMPACT_BYTES != after // COMPACT_BYTES:
            _compact(folder, path.name, file)
        return True


def last(path: Path) -> Anchor | None:
    """Return the last anchor of the file, or None where there is none yet; reads a few KiB.

    Its signature is not checked: that would cost every command the import of a cryptographic library, and whoever can
    write this file can also take its last lines away. ``verify`` checks. Raises ``AnchorFault``.
    """
    with _faults(path), _reading(path) as file:
        return None if file is None else _last(file)


def read_all(path: Path) -> Reading:
    """Return all anchors of the file; a last line that a crash left torn is passed over, and told of.

    Raises ``AnchorFault``.
    """
    with _faults(path), _reading(path) as file:
        found = Reading([], []) if file is None else _read(file)
        if found.torn and file is not None:
            # half a line may be one that is being written: whoever writes holds the lock
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return _read(file)
            return replace(found, torn=0)
        return found


def verify_signature(anchor: Anchor, public_key: bytes) -> bool:
    """Return whether ``anchor`` was signed by the key with this raw public half (Ed25519, RFC 8032)."""
    return anchor.key == key_id(public_key) and signs(public_key, anchor.sig, anchor.signed_bytes())


# -- the file ----------------------------------------------------------------------------------------------------------


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except AnchorFault:
        raise
    except UsermgmtError as error:
        raise AnchorFault(path=path, problem=error.message) from None
    except OSError as error:
        raise AnchorFault(path=path, problem=why(error)) from None
    except _Unfit as error:
        raise AnchorFault(path=path, problem=_(str(error))) from None


class _Unfit(Exception):
    """What was found is not a file to anchor in; the message says why."""


@contextmanager
def _reading(path: Path) -> Iterator[int | None]:
    try:
        file = os.open(path, os.O_RDONLY | _CAREFUL)
    except FileNotFoundError:
        yield None
        return
    try:
        _check(file)
        yield file
    finally:
        os.close(file)


@contextmanager
def _directory(folder: Path) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        descriptor = os.open(folder, flags)
    except FileNotFoundError:
        private_directory(folder)
        descriptor = os.open(folder, flags)
    try:
        if os.fstat(descriptor).st_mode & 0o022:
            raise _Unfit(N_("other accounts may write to its directory"))
        yield descriptor
    finally:
        os.close(descriptor)


def _check(file: int) -> None:
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        raise _Unfit(N_("it is not a regular file"))
    if mode & 0o022:
        raise _Unfit(N_("other accounts may write to it"))


@contextmanager
def _locked(folder: int, name: str, patience: float) -> Iterator[int]:
    limit = time.monotonic() + patience
    while True:
        file = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | _CAREFUL, 0o600, dir_fd=folder)
        try:
            _check(file)
            _lock(file, limit)
            # another process may have put a thinned-out file in the place of the one we waited for
            if os.path.samestat(os.fstat(file), os.stat(name, dir_fd=folder, follow_symlinks=False)):
                yield file
                return
        finally:
            os.close(file)


def _lock(file: int, limit: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit:
                raise _Unfit(N_("another process keeps it locked")) from None
            time.sleep(0.005)
        else:
            return


def _is_news(previous: Anchor | None, anchor: Anchor) -> bool:
    if previous is None:
        return True
    if previous.store != anchor.store:
        raise _Unfit(N_("it holds the anchors of another store"))
    if previous.lineage != anchor.lineage:
        return anchor.lineage > previous.lineage
    return anchor.n > previous.n or (anchor.n == previous.n and anchor.hash != previous.hash)


def _last(file: int) -> Anchor | None:
    size = os.fstat(file).st_size
    for span in (_TAIL, size):
        start = max(size - span, 0)
        lines = os.pread(file, span, start).split(b"\n")
        # the first piece is half a line unless the whole file was read, the last one is torn or empty
        for line in reversed(lines if start == 0 else lines[1:]):
            with suppress(ValueError):
                return Anchor.parse(line)
        if start == 0 and len(lines) > 1:
            raise _Unfit(N_("no line of it is an anchor"))
    return None


def _read(file: int) -> Reading:
    reading, torn = Reading([], []), 0
    with os.fdopen(os.dup(file), "rb") as stream:
        stream.seek(0)
        for number, line in enumerate(stream, 1):
            try:
                reading.anchors.append(Anchor.parse(line))
            except ValueError:
                if line.endswith(b"\n"):
                    reading.unreadable.append(number)
                else:
                    torn = number
    return replace(reading, torn=torn)


def _write(file: int, size: int, line: bytes) -> int:
    if size and os.pread(file, 1, size - 1) != b"\n":
        # a crash tore the last line: it stays a line of its own
        line = b"\n" + line
    written = os.write(file, line)
    if written != len(line):
        os.ftruncate(file, size)
        raise _Unfit(N_("the disk is full"))
    return size + written


def _compact(folder: int, name: str, file: int) -> None:
    """Keep the first and the last anchor of each lineage and day; see ``docs/audit-format.md`` for why that is enough.

    A file that may only be appended to (``chattr +a``) cannot be replaced, and is left to grow.
    """
    kept: dict[tuple[int, str], list[Anchor]] = {}
    for anchor in _read(file).anchors:
        day = kept.setdefault((anchor.lineage, anchor.at[:10]), [])
        day[1:] = [anchor]
    # sorted, because a clock that was set back mixes the days, and the last line must stay the furthest
    lines = sorted((anchor for day in kept.values() for anchor in day), key=lambda anchor: (anchor.lineage, anchor.n))
    with suppress(OSError):
        _replace(folder, name, b"".join(anchor.line() for anchor in lines))


def _replace(folder: int, name: str, data: bytes) -> None:
    thinned = f".{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(thinned, dir_fd=folder)
    try:
        file = os.open(thinned, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFUL, 0o600, dir_fd=folder)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            # unlike a single anchor, the whole history must not be lost with the power
            os.fsync(stream.fileno())
        os.rename(thinned, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(thinned, dir_fd=folder)
        raise
