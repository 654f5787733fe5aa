"""The bytes of one input in chunks: bounded, free of NUL, with line numbers, and readable twice."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from usermgmt.engines.tabular.errors import FileTooLarge, NulByte
from usermgmt.kernel.errors import DiskFull, FileMissing, FileUnreadable, said

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 17
_IN_MEMORY = 1 << 23
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def open_input(path: str | os.PathLike[str]) -> BinaryIO:
    """Open the file ``path`` for ``open_table``; raises FileMissing and FileUnreadable."""
    try:
        return open(path, "rb")  # noqa: PTH123 - the caller closes it
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileMissing(path=os.fspath(path)) from error
    except OSError as error:
        raise FileUnreadable(path=os.fspath(path), problem=said(error)) from error


def write_all(stream: IO[bytes], data: bytes) -> None:
    """Write ``data`` to ``stream``; raises DiskFull."""
    with noticing_full_disk():
        stream.write(data)


@contextmanager
def noticing_full_disk() -> Iterator[None]:
    """Turn the errors of a full disk into DiskFull; anything else (a closed pipe) stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(problem=said(error)) from error
        raise


def line_ends(data: bytes) -> int:
    r"""Count the line ends in ``data``, each of ``\n``, ``\r\n`` and ``\r`` as one."""
    ends = data.count(b"\n")
    return ends + data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else ends


class Source:
    """One input of at most ``limit`` bytes, shown as ``name`` in messages.

    ``head`` holds its first bytes (a whole line where there is one), ``whole`` says that nothing follows them.
    Raises FileTooLarge, NulByte and FileUnreadable while it is read.
    """

    def __init__(self, stream: BinaryIO, name: str, limit: int) -> None:
        self.name = name
        self.line = 1
        self._stream: IO[bytes] = stream
        self._limit = limit
        self._spool: IO[bytes] | None = None
        self._origin = self._find_origin()
        self.head, self.whole = self._read_head()

    def _find_origin(self) -> int | None:
        try:
            if not self._stream.seekable():
                return None
            origin = self._stream.tell()
            size = self._stream.seek(0, os.SEEK_END) - origin
            self._stream.seek(origin)
        except OSError:
            return None
        if size > self._limit:
            raise FileTooLarge(file=self.name, limit=self._limit)
        return origin

    def _read(self, size: int) -> bytes:
        try:
            # a pipe gives what it has, so that records are seen as they come
            read = getattr(self._stream, "read1", self._stream.read)
            return cast("bytes", read(size))
        except OSError as error:
            raise FileUnreadable(path=self.name, problem=said(error)) from error

    def _read_head(self) -> tuple[bytes, bool]:
        head = b""
        while len(head) < CHUNK and (self._origin is not None or b"\n" not in head):
            piece = self._read(CHUNK - len(head))
            if not piece:
                return head, True
            head += piece
        return head, False

    def _blocks(self) -> Iterator[bytes]:
        if self._origin is not None:
            self._stream.seek(self._origin)
        else:
            if self.head:
                yield self.head
            if self.whole:
                return
        while block := self._read(CHUNK):
            yield block

    def chunks(self) -> Iterator[bytes]:
        """Yield the input from its start; meanwhile ``line`` is the line on which the last chunk began."""
        self.line, size, after_cr = 1, 0, False
        for chunk in self._blocks():
            size += len(chunk)
            if size > self._limit:
                raise FileTooLarge(file=self.name, limit=self._limit)
            self.line -= after_cr and chunk.startswith(b"\n")
            if (nul := chunk.find(b"\0")) >= 0:
                raise NulByte(file=self.name, line=self.line + line_ends(chunk[:nul]))
            yield chunk
            self.line += line_ends(chunk)
            after_cr = chunk.endswith(b"\r")

    def keep(self) -> None:
        """Make the input readable twice: a pipe is copied, beyond 8 MiB into an unnamed file that only we can open."""
        if self._origin is not None:
            return
        spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._spool = spool
        for chunk in self.chunks():
            write_all(spool, chunk)
        self._stream, self._origin = spool, 0
        spool.seek(0)
        self.head, self.whole = self._read_head()

    def close(self) -> None:
        """Let the copy go; the stream itself belongs to the caller."""
        if self._spool is not None:
            self._spool.close()
