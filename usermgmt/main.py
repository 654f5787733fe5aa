"""The entry: one call of the program in, one exit code out; an error becomes an exit code here, once."""

from __future__ import annotations

import errno
import itertools
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from usermgmt.kernel import i18n
from usermgmt.kernel.errors import (
    DiskFull,
    Exit,
    Interrupted,
    OutputClosed,
    SystemFailed,
    Terminated,
    UsermgmtError,
    said,
)
from usermgmt.kernel.i18n import N_
from usermgmt.kernel.invocation import Invocation, speak
from usermgmt.kernel.report import report
from usermgmt.kernel.signals import Stop, stop
from usermgmt.kernel.streams import Streams, occupied, occupy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from usermgmt.kernel.clock import Clock, Random

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# what a disk, a limit or an administrator makes of a call that is sound; the rest (EBADF, EINVAL...) is a fault of ours
_REFUSED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOLCK, errno.EINTR, errno.ETXTBSY),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EBUSY, errno.ELOOP, errno.ENXIO, errno.ENODEV),
)


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    streams: Streams,
    clock: Clock | None = None,
    random: Random | None = None,
) -> int:
    """Run one command line and return its exit code; touches nothing global but the language of this context."""
    i18n.use(i18n.choose(argv, env))
    call = Invocation(env, cwd, streams, argv=argv)
    if clock is not None:
        call.clock = clock
    if random is not None:
        call.random = random
    try:
        code = _parse_and_run(argv, call)
        streams.stdout.flush()
    except UsermgmtError as error:
        report(streams, error, json=json_asked(argv))
        return int(error.exit)
    except (KeyboardInterrupt, Stop) as signalled:
        ended = Terminated() if isinstance(signalled, Stop) else Interrupted()
        report(streams, ended, json=json_asked(argv))
        return int(ended.exit)
    except BrokenPipeError:
        # the reader has gone (`| head`): nothing is wrong, and nobody listens
        return int(Exit.BROKEN_PIPE)
    except OSError as error:
        return _system_failure(error, streams, argv)
    except Exception as error:
        if "--debug" in argv:
            raise
        return _unexpected(error, streams, argv)
    return code


def _parse_and_run(argv: Sequence[str], call: Invocation) -> int:
    import typer

    from usermgmt.kernel import tree, usage

    try:
        with tree.root().make_context("usermgmt", list(argv), obj=call) as context:
            tree.root().invoke(context)
    except usage.NoArgsIsHelp as error:
        speak(call)
        call.streams.err(error.ctx.get_help() + "\n")
        return int(Exit.USAGE)
    except usage.UnknownCommand:
        speak(call)
        raise
    except usage.UsageError as error:
        speak(call)
        raise usage.translated(error) from None
    except typer.Exit as done:
        return done.exit_code
    return int(call.exit)


def _system_failure(error: OSError, streams: Streams, argv: Sequence[str]) -> int:
    problem = said(error) if error.filename is None else f"{os.fsdecode(error.filename)}: {said(error)}"
    lost: UsermgmtError
    if error.errno == errno.EBADF and occupied(1):
        lost = OutputClosed()
    elif error.errno in _FULL:
        # what is written to files and stores has its own errors: without a name the answer was on its way
        lost = DiskFull(OutputClosed.hint if error.filename is None else None, problem=problem)
    elif error.errno in _REFUSED:
        lost = SystemFailed(problem=problem)
    else:
        return _unexpected(error, streams, argv)
    report(streams, lost, json=json_asked(argv))
    return int(lost.exit)


def _unexpected(error: Exception, streams: Streams, argv: Sequence[str]) -> int:
    # only the class: the text of an unforeseen exception may quote a secret or a stored value
    failure = UsermgmtError(problem=type(error).__name__, hint=N_("repeat the command with --debug for the details"))
    report(streams, failure, json=json_asked(argv))
    return int(Exit.ERROR)


def json_asked(argv: Sequence[str]) -> bool:
    """Tell whether errors are wanted as JSON; read from argv, since usage errors come before any parsing."""
    words = list(argv)
    if "--" in words:
        words = words[: words.index("--")]
    if "--json" in words or {"--output=json", "--output=ndjson", "-ojson", "-ondjson"} & set(words):
        return True
    return any(name in ("-o", "--output") and value in ("json", "ndjson") for name, value in itertools.pairwise(words))


def console() -> NoReturn:
    """Run this process's command line: private files, no core dumps, signals as exit codes."""
    import gc

    occupy()
    # collecting what start-up allocates costs a tenth of a short command
    gc.disable()
    # pydantic would look through every installed distribution for plug-ins
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _harden()
    if os.environ.get("_USERMGMT_COMPLETE"):
        from usermgmt.kernel.completion import complete

        code = complete(os.environ)
    else:
        code = run(sys.argv[1:], os.environ, _directory(), Streams.of_process())
    _leave(code)


def _directory() -> Path:
    try:
        return Path.cwd()
    except OSError:
        # it was removed: what is named relative to it is then not found, and the rest works
        return Path("/proc/self/cwd")


def _harden() -> None:
    import resource
    import signal

    os.umask(0o077)
    # a core file would hold secrets
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    signal.signal(signal.SIGTERM, stop)


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        # the reader has gone, or the disk is full: it was told already, and the code says it
        with suppress(OSError):
            if stream is not None:
                stream.flush()
    # everything is closed and written; taking the interpreter apart would cost a tenth of a short command
    os._exit(code)
