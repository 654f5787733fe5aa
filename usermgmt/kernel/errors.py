"""The catalogue of errors: one class per situation, its docstring the message template, its exit code an attribute.

``main.py`` alone turns an error into an exit code. Templates and hints are translated when shown; the facts put
into them are neutralised there, so a stored name cannot reach a terminal raw.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.text import neutral


class Exit(IntEnum):
    """Exit codes, as in ``help exit-codes``; an unknown code means failure."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    CONFLICT = 5
    INVALID = 6
    PARTIAL = 7
    UNAVAILABLE = 8
    NEEDS_CONFIRMATION = 9
    ATTENTION = 10
    PENDING = 11
    INTEGRITY = 12
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143

    @property
    def word(self) -> str:
        """The code's name, as ``not-found``."""
        return self.name.lower().replace("_", "-")


WHEN = {
    Exit.OK: N_("Done, or nothing to do."),
    Exit.ERROR: N_("Something failed that should not: one line says what, --debug shows the traceback."),
    Exit.USAGE: N_("The command line is wrong; also --now on a store that is not simulated."),
    Exit.NOT_FOUND: N_("The named thing does not exist, an input file included."),
    Exit.DENIED: N_("Not permitted."),
    Exit.CONFLICT: N_(
        "It exists already, the change is not possible from the present state, the version is stale, or the name is "
        "ambiguous."
    ),
    Exit.INVALID: N_("A value or a rule refuses it."),
    Exit.PARTIAL: N_("Several were meant and some were refused; each of those is named, the rest is done."),
    Exit.UNAVAILABLE: N_("No store, one that is unsafe, locked, of another schema or no store of this program; a "
                         "configuration that is broken or unsafe; a missing key; a full disk."),
    Exit.NEEDS_CONFIRMATION: N_("A confirmation was needed and was not given, or could not be asked for."),
    Exit.ATTENTION: N_("A check found something to do."),
    Exit.PENDING: N_("Accepted, and waiting for a second person."),
    Exit.INTEGRITY: N_("The audit log or the store failed a verification, or the store is malformed."),
    Exit.INTERRUPTED: N_("Interrupted (SIGINT); nothing is half-written."),
    Exit.BROKEN_PIPE: N_("The reader of standard output has gone."),
    Exit.TERMINATED: N_("Terminated (SIGTERM); nothing is half-written."),
}  # fmt: skip
"""When each code is given: the table that ``help exit-codes`` prints."""


SYSTEM_PROBLEMS = (
    N_("Bad file descriptor"),
    N_("Device or resource busy"),
    N_("Disk quota exceeded"),
    N_("File exists"),
    N_("File name too long"),
    N_("File too large"),
    N_("Input/output error"),
    N_("Interrupted system call"),
    N_("Invalid argument"),
    N_("Is a directory"),
    N_("No such device or address"),
    N_("No such file or directory"),
    N_("No space left on device"),
    N_("Not a directory"),
    N_("Operation not permitted"),
    N_("Permission denied"),
    N_("Read-only file system"),
    N_("Stale file handle"),
    N_("Too many levels of symbolic links"),
    N_("Too many open files"),
)
"""What the C library says of files, marked so that the catalogue has it; Python never asks it for another language."""


def said(error: OSError) -> str:
    """Return what the system says went wrong, in the language of this invocation where the catalogue has it."""
    return _(error.strerror or "") or str(error)


class UsermgmtError(Exception):
    """Something failed that should not: {problem}"""

    code: ClassVar[str] = "error"
    exit: ClassVar[Exit] = Exit.ERROR
    hint: str = ""

    def __init__(self, hint: str | None = None, **facts: object) -> None:
        """Keep the ``facts`` that the template names; ``hint`` (a marked template) replaces the class's own."""
        super().__init__()
        self.facts = facts
        if hint is not None:
            self.hint = hint

    def _fill(self, template: str) -> str:
        return _(template).format(**{name: neutral(str(value)) for name, value in self.facts.items()})

    @property
    def message(self) -> str:
        """The message in the language of this invocation, safe to print."""
        return self._fill((type(self).__doc__ or type(self).__name__).strip())

    @property
    def advice(self) -> str:
        """What to do or type next, in the language of this invocation; empty where there is nothing to say."""
        return self._fill(self.hint) if self.hint else ""

    @property
    def details(self) -> dict[str, object]:
        """The facts, for machine readers."""
        return {name: _plain(value) for name, value in self.facts.items() if name not in _WORDS}

    def __str__(self) -> str:
        return self.message


_WORDS = frozenset({"problem", "noun", "wanted", "what", "status"})
"""Facts that are words for people, in their language: the message has them, the details do not."""


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


class UsageProblem(UsermgmtError):
    """{problem}"""

    code = "usage"
    exit = Exit.USAGE


class NotFound(UsermgmtError):
    """There is no {noun} {name}."""

    code = "not_found"
    exit = Exit.NOT_FOUND


class FileMissing(NotFound):
    """There is no file {path}."""

    code = "file.not_found"


class Denied(UsermgmtError):
    """{actor} does not have the permission {permission}, which is needed here."""

    code = "denied"
    exit = Exit.DENIED


class Conflict(UsermgmtError):
    """{problem}"""

    code = "conflict"
    exit = Exit.CONFLICT


class StaleVersion(Conflict):
    """{target} is at version {actual}, not {expected}: somebody changed it meanwhile."""

    code = "stale_version"
    hint = N_("look at it again, then repeat the change with --if-version {actual}")


class Invalid(UsermgmtError):
    """{field}: {problem}"""

    code = "invalid"
    exit = Exit.INVALID


class Partial(UsermgmtError):
    """{refused} of {total} were refused; the rest is done."""

    code = "partial"
    exit = Exit.PARTIAL


class Unavailable(UsermgmtError):
    """{problem}"""

    code = "unavailable"
    exit = Exit.UNAVAILABLE


class NoStore(Unavailable):
    """There is no store at {path}."""

    code = "store.missing"
    hint = N_("create one: usermgmt init")


class NotAStore(Unavailable):
    """{path} is not a usermgmt store: {problem}."""

    code = "store.foreign"
    hint = N_("name the right one with --store, or create one: usermgmt init")


class UnsafeStore(Unavailable):
    """The store {path} is not safe to use: {problem}."""

    code = "store.unsafe"
    hint = N_("usermgmt doctor shows what to mend")


class StoreBusy(Unavailable):
    """The store is locked by another program; waited {seconds} s."""

    code = "store.busy"
    hint = N_("try again, or raise store.busy_timeout")


class StoreUnreadable(Unavailable):
    """The store cannot be opened: {problem}."""

    code = "store.unreadable"


class SchemaOld(Unavailable):
    """The store has the older schema {found}; this program needs {needed}."""

    code = "schema.old"
    hint = N_("usermgmt store migrate (it makes and verifies a backup first)")


class SchemaNewer(Unavailable):
    """The store has schema {found}, which this program (schema {needed}) does not know."""

    code = "schema.newer"
    hint = N_("use the newer usermgmt that wrote it")


class DiskFull(Unavailable):
    """The disk is full or a size limit was reached: {problem}."""

    code = "disk.full"
    hint = N_("make room and repeat the command; nothing was half-written")


class OutputClosed(Unavailable):
    """Standard output is closed, so the answer could not be written."""

    code = "output.closed"
    hint = N_("what the command changed stays changed: look before you repeat it")


class SystemFailed(Unavailable):
    """The operating system refuses what is needed: {problem}."""

    code = "system.failed"
    hint = N_("mend that and repeat the command; nothing was half-written")


class FileUnreadable(Unavailable):
    """{path} cannot be read or written: {problem}."""

    code = "file.unreadable"


class FileExists(Conflict):
    """{path} exists already and is left alone."""

    code = "file.exists"
    hint = N_("name another file, or remove that one")


class BadConfiguration(Unavailable):
    """The configuration {path} is not usable: {problem}."""

    code = "config.invalid"
    hint = N_("usermgmt config validate shows each problem")


class NeedsConfirmation(UsermgmtError):
    """{problem}"""

    code = "confirmation.needed"
    exit = Exit.NEEDS_CONFIRMATION
    hint = N_("pass --yes to do it without asking")


class Attention(UsermgmtError):
    """{problem}"""

    code = "attention"
    exit = Exit.ATTENTION


class IntegrityBroken(UsermgmtError):
    """{problem}"""

    code = "integrity"
    exit = Exit.INTEGRITY
    hint = N_("keep the store as it is, and compare it with a backup: usermgmt store restore FILE --dry-run")


class Interrupted(UsermgmtError):
    """Interrupted; nothing was half-written."""

    code = "interrupted"
    exit = Exit.INTERRUPTED


class Terminated(Interrupted):
    """Terminated; nothing was half-written."""

    code = "terminated"
    exit = Exit.TERMINATED
