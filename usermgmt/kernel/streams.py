"""The three streams of an invocation, as bytes, with what each one is connected to."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast


@dataclass(slots=True)
class Streams:
    """Standard input, output and error; a test gives buffers, the console gives descriptors."""

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: BinaryIO
    stdin_tty: bool = False
    stdout_tty: bool = False
    stderr_tty: bool = False
    encoding: str = "utf-8"
    width: int = 0

    @classmethod
    def of_process(cls) -> Streams:
        """Return the process's own streams."""
        return cls(
            stdin=_bytes(sys.stdin, 0, "rb"),
            stdout=_bytes(sys.stdout, 1, "wb"),
            stderr=_bytes(sys.stderr, 2, "wb"),
            stdin_tty=os.isatty(0),
            stdout_tty=os.isatty(1),
            stderr_tty=os.isatty(2),
            encoding=getattr(sys.stdout, "encoding", None) or "utf-8",
            width=shutil.get_terminal_size().columns if os.isatty(1) else 0,
        )

    def out(self, text: str) -> None:
        """Write words for people to standard output; what the terminal's encoding lacks is written as an escape."""
        self.stdout.write(text.encode(self.encoding, "backslashreplace"))

    def err(self, text: str) -> None:
        """Write words for people to standard error, at once."""
        self.tell(text.encode(self.encoding, "backslashreplace"))

    def tell(self, data: bytes) -> None:
        """Write ``data`` to standard error, at once; where nobody can be told, the exit code says it all the same."""
        with suppress(OSError):
            self.stderr.write(data)
            self.stderr.flush()


def occupy() -> None:
    """Put something behind the streams that the caller closed (``>&-``): the next file would be opened in their place.

    Opened the wrong way round, as GNU programs do: reading and writing fail as on a closed stream.
    """
    for descriptor, way in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, way)


def occupied(descriptor: int) -> bool:
    """Tell whether an output stream was closed, and ``occupy`` has put something in its place."""
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY


def _bytes(stream: Any, descriptor: int, mode: str) -> BinaryIO:
    # Python has none for a stream that was closed when it began
    return cast("BinaryIO", os.fdopen(descriptor, mode, closefd=False) if stream is None else stream.buffer)
