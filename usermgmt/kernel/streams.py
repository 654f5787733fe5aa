"""The three streams of an invocation, as bytes, with what each one is connected to."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import BinaryIO


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
            stdin=sys.stdin.buffer,
            stdout=sys.stdout.buffer,
            stderr=sys.stderr.buffer,
            stdin_tty=sys.stdin.isatty(),
            stdout_tty=sys.stdout.isatty(),
            stderr_tty=sys.stderr.isatty(),
            encoding=sys.stdout.encoding or "utf-8",
            width=shutil.get_terminal_size().columns if sys.stdout.isatty() else 0,
        )

    def out(self, text: str) -> None:
        """Write words for people to standard output; what the terminal's encoding lacks is written as an escape."""
        self.stdout.write(text.encode(self.encoding, "backslashreplace"))

    def err(self, text: str) -> None:
        """Write words for people to standard error, at once."""
        self.stderr.write(text.encode(self.encoding, "backslashreplace"))
        self.stderr.flush()
