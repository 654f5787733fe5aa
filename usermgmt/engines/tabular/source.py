"""The bytes of one input in chunks: bounded, free of NUL, with line numbers, and readable twice."""

from __future__ import annotations

import codecs
import errno
import os
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from usermgmt.engines.tabular.errors import BrokenText, FileTooLarge, NulByte
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

    ``head`` holds its first bytes (a whole line where there is one), ``whole`` says that nothing follows them;
    ``size`` is how many bytes there are, None where nobody can tell, and ``taken`` how many were read.
    Raises FileTooLarge, NulByte and FileUnreadable while it is read.
    """

    def __init__(self, stream: BinaryIO, name: str, limit: int) -> None:
        self.name = name
        self.line = 1
        self.size: int | None = None
        self.taken = 0
        self.recoded = ""
        self._stream: IO[bytes] = stream
        self._limit = limit
        self._spool: IO[bytes] | None = None
        self._origin = self._find_origin()
        self._raw_head, self.whole = self._read_head()
        self.head = self._raw_head

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
        self.size = size
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

    def _raw_blocks(self) -> Iterator[bytes]:
        self.taken = 0
        if self._origin is not None:
            self._stream.seek(self._origin)
        elif self._raw_head:
            yield self._took(self._raw_head)
        if self._origin is None and self.whole:
            return
        while block := self._read(CHUNK):
            yield self._took(block)

    def _took(self, block: bytes) -> bytes:
        self.taken += len(block)
        if self.taken > self._limit:
            raise FileTooLarge(file=self.name, limit=self._limit)
        return block

    def _blocks(self) -> Iterator[bytes]:
        return self._recode(self.recoded) if self.recoded else self._raw_blocks()

    def recode(self, encoding: str) -> None:
        """Give the input as UTF-8 from here on; ``encoding`` is one in which bytes do not show where lines end."""
        self.recoded = encoding
        self.head = self._raw_head.decode(encoding, "ignore").encode()

    def _recode(self, encoding: str) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            for block in self._raw_blocks():
                if text := decoder.decode(block):
                    yield text.encode()
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            sound = error.object[: error.start].decode(encoding)
            raise BrokenText(file=self.name, line=self.line + line_ends(sound.encode()), encoding=encoding) from error

    def chunks(self) -> Iterator[bytes]:
        """Yield the input from its start; meanwhile ``line`` is the line on which the last chunk began."""
        self.line, after_cr = 1, False
        for chunk in self._blocks():
            self.line -= after_cr and chunk.startswith(b"\n")
            if (nul := chunk.find(b"\0")) >= 0:
                raise NulByte(file=self.name, line=self.line + line_ends(chunk[:nul]))
            yield chunk
            self.line += line_ends(chunk)
            after_cr = chunk.endswith(b"\r")

    def keep(self) -> None:
        """Make the input readable twice: a pipe is copied, beyond 8 MiB into an unnamed file that only we can open."""
        if self._origin is None:
            self._copy(self._raw_blocks())

    def _copy(self, blocks: Iterator[bytes]) -> None:
        spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._spool = spool
        for block in blocks:
            write_all(spool, block)
        self.size = spool.tell()
        self._stream, self._origin = spool, 0
        spool.seek(0)
        self._raw_head, self.whole = self._read_head()
        self.head = self._raw_head

    def file(self) -> IO[bytes]:
        """Return the input, all of it read once, as a file that is read in any order."""
        if self._origin == 0:
            for _block in self._raw_blocks():
                pass
        else:
            self._copy(self._raw_blocks())
        return self._stream

    def close(self) -> None:
        """Let the copy go; the stream itself belongs to the caller."""
        if self._spool is not None:
            self._spool.close()
