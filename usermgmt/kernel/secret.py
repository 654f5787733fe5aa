"""Secrets that a caller gives: by a stream, a file, a descriptor or a terminal; never on the command line."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from usermgmt.kernel.errors import BadConfiguration, FileMissing, Invalid, UsageProblem, said
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.streams import Streams

LONGEST = 4096
"""Bytes that a secret may have: none is ever cut."""


@dataclass(frozen=True, slots=True)
class Given:
    """Where the caller says that a secret is."""

    password_stdin: Annotated[
        bool, Option("--password-stdin", help=N_("Read the secret from standard input."), show_default=False)
    ] = False
    password_file: Annotated[
        str, Option("--password-file", help=N_("Read the secret from a file."), metavar="FILE", show_default=False)
    ] = ""
    password_fd: Annotated[
        int | None,
        Option(
            "--password-fd",
            help=N_("Read the secret from the open descriptor N."),
            metavar="N",
            min=0,
            show_default=False,
        ),
    ] = None

    def read(self, ctx: Context) -> bytes | None:
        """Return the secret, or None where none was given; raises ``UsageProblem``, ``Invalid``, ``FileMissing``."""
        sources = (self.password_stdin, bool(self.password_file), self.password_fd is not None)
        if sum(sources) > 1:
            raise UsageProblem(problem=_("--password-stdin, --password-file and --password-fd exclude each other"))
        if self.password_stdin:
            return _line(ctx.streams.stdin.read(LONGEST + 2), "--password-stdin")
        if self.password_file:
            return from_file(ctx.path(self.password_file))
        return None if self.password_fd is None else _from_descriptor(self.password_fd)


def _from_descriptor(number: int) -> bytes:
    try:
        with os.fdopen(number, "rb", closefd=False) as stream:
            return _line(stream.read(LONGEST + 2), "--password-fd")
    except OSError as error:
        raise Invalid(field="--password-fd", problem=said(error)) from None


def from_file(path: Path) -> bytes:
    """Return the secret in a private file, without the newline at its end.

    Raises ``FileMissing``, ``Invalid``, ``BadConfiguration`` where others may read it.
    """
    try:
        with path.open("rb") as stream:
            mode, data = os.fstat(stream.fileno()).st_mode, stream.read(LONGEST + 2)
    except FileNotFoundError:
        raise FileMissing(path=path) from None
    except OSError as error:
        raise BadConfiguration(path=path, problem=said(error)) from None
    if stat.S_ISREG(mode) and mode & 0o077:
        raise BadConfiguration(path=path, problem=_("other accounts may read it"), hint=N_("chmod 600 {path}"))
    return _line(data, str(path))


def _line(data: bytes, source: str) -> bytes:
    secret = data.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise Invalid(field=source, problem=_("it is empty"))
    if len(secret) > LONGEST:
        raise Invalid(field=source, problem=_("it is longer than {n} bytes").format(n=LONGEST))
    return secret


# -- the terminal ------------------------------------------------------------------------------------------------------


def prompt(streams: Streams, question: str) -> bytes:
    """Ask for a secret on the terminal, without showing what is typed; raises ``Invalid``."""
    streams.err(f"{question} ")
    with _unseen(streams.stdin):
        data = streams.stdin.readline(LONGEST + 2)
    streams.err("\n")
    return _line(data, _("the answer"))


@contextmanager
def _unseen(stream: BinaryIO) -> Iterator[None]:
    """Switch the terminal's echo off; a stream that is none is left alone."""
    import termios

    try:
        descriptor = stream.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, termios.error):
        yield
        return
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
