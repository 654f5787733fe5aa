"""The bytes of the file that is imported, with how many were taken and their SHA-256."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import BinaryIO, NamedTuple, cast

_BLOCK = 1 << 20


class Fingerprint(NamedTuple):
    """What tells one file from another: its size in bytes, and its SHA-256 in hex."""

    size: int
    sha256: str


class Tracked:
    """A stream that hashes what is read from it, each byte once, however often it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = sha256()
        self._hashed = 0
        self._ended = False
        self._start = 0
        self.position = 0
        """Where the next byte comes from, counted from the first one that was read."""
        self.size = self._find_size()
        """How many bytes there are; None where nobody can tell."""

    def _find_size(self) -> int | None:
        try:
            if not self._stream.seekable():
                return None
            self._start = self._stream.tell()
            end = self._stream.seek(0, os.SEEK_END)
            self._stream.seek(self._start)
        except OSError:
            return None
        return end - self._start

    def seekable(self) -> bool:
        """Tell whether it can be read twice."""
        return self.size is not None

    def tell(self) -> int:
        """Return the position."""
        return self.position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        if whence == os.SEEK_END:
            self.position = self._stream.seek(offset, os.SEEK_END) - self._start
        else:
            base = self.position if whence == os.SEEK_CUR else 0
            self.position = self._stream.seek(self._start + base + offset) - self._start
        return self.position

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes."""
        return self._took(self._stream.read(size), size)

    def read1(self, size: int = -1) -> bytes:
        """Read what is there, up to ``size`` bytes."""
        read = getattr(self._stream, "read1", self._stream.read)
        return self._took(cast("bytes", read(size)), size)

    def _took(self, data: bytes, size: int) -> bytes:
        if not data and size:
            self._ended = True
        if self.position <= self._hashed < self.position + len(data):
            self._hash.update(data[self._hashed - self.position :])
            self._hashed = self.position + len(data)
        self.position += len(data)
        return data

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole; empty where not all of it was read."""
        return self._hash.hexdigest() if self._ended or self._hashed == self.size else ""

    def fingerprint(self) -> Fingerprint | None:
        """Return what the whole is, None for a pipe; what a guess of the encoding has not read yet is read for it."""
        if self.size is None:
            return None
        position = self.position
        self.seek(self._hashed)
        while self.read(_BLOCK):
            pass
        self.seek(position)
        return Fingerprint(self._hashed, self._hash.hexdigest())
