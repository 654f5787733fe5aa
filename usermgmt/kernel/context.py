"""What a command and its service are given: the store's transaction, who acts, when, why, and how to answer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usermgmt.kernel.errors import Conflict, Denied, Exit, FileMissing, FileUnreadable, Invalid, NeedsConfirmation, said
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.text import neutral

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo
    from typing import BinaryIO

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.actor import Actor
    from usermgmt.kernel.audit.log import Log
    from usermgmt.kernel.clock import Clock, Random
    from usermgmt.kernel.permissions import P
    from usermgmt.kernel.settings import Settings
    from usermgmt.kernel.store import Store
    from usermgmt.kernel.streams import Streams
    from usermgmt.kernel.times import Direction, Edge

MANY = 10
"""Removing or closing more than this many without a terminal needs ``--confirm-count``."""


LONGEST_INPUT = 1 << 26
"""Bytes that a file or standard input may have which a transaction needs whole."""

LONGEST_TEXT = 1 << 16
"""Bytes that a text from standard input may have."""


@dataclass(frozen=True, slots=True)
class Output:
    """How to answer: ``format`` is empty where the streams decide; ``fields`` empty means the view's own."""

    format: str = ""
    fields: tuple[str, ...] = ()
    jq: str = ""
    utc: bool = False
    header: bool = True
    reveal: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    color: str = "auto"


class AskFirst(Exception):
    """The service wants ``question`` answered; asked outside the transaction, so that no lock waits for a person."""

    def __init__(self, question: str, count: int) -> None:
        super().__init__(question)
        self.question = question
        self.count = count


@dataclass(slots=True)
class Consent:
    """What the caller agreed to beforehand (``--yes``, ``--confirm-count``) or when asked (``answered``)."""

    yes: bool = False
    count: int | None = None
    may_ask: bool = False
    answered: int | None = None


@dataclass
class Context:
    """One invocation. Services read it; they never commit, print, ask, or look at the clock of the system."""

    settings: Settings
    clock: Clock
    random: Random
    actor: Actor
    streams: Streams
    env: Mapping[str, str]
    cwd: Path
    output: Output
    command: str = ""
    config_file: Path | None = None
    """The file that ``--config`` names."""
    reason: str = ""
    dry_run: bool = False
    if_version: int | None = None
    consent: Consent = field(default_factory=Consent)
    given: set[str] = field(default_factory=set)
    fields: tuple[str, ...] = ()
    """The fields that the answer will show: a list selects these columns and no others."""
    refused: Denied | None = None
    """Why the call is refused whatever it asks for; known before the store is open."""
    target: str = ""
    """Whom or what the command is about, as the audit names it; set by the service once it is known."""
    exit: Exit = Exit.OK
    """Raised by a command whose answer is shown and is yet not all well (partial, attention, integrity)."""
    _store: Store | None = None
    _connection: Connection | None = None
    _log: Log | None = None
    _inputs: dict[str, bytes] = field(default_factory=dict)

    # -- the store ---------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The opened store."""
        assert self._store is not None, "the command opens no store"
        return self._store

    @property
    def found(self) -> Store | None:
        """The opened store, or None where none could be opened."""
        return self._store

    @property
    def db(self) -> Connection:
        """The connection of the running transaction."""
        assert self._connection is not None, "no transaction is running"
        return self._connection

    @property
    def log(self) -> Log:
        """The audit log of the running transaction."""
        assert self._log is not None, "no writing transaction is running"
        return self._log

    def use(self, store: Store | None, connection: Connection | None = None, log: Log | None = None) -> None:
        """Take what the decorator opened."""
        self._store, self._connection, self._log = store, connection, log

    # -- who, when, why ----------------------------------------------------------------------------------------

    @cached_property
    def now(self) -> str:
        """The moment of this invocation, one for all it does, as canonical text."""
        return self.clock.text()

    @cached_property
    def today(self) -> str:
        """The calendar date of this invocation in ``time.zone``, as ``YYYY-MM-DD``."""
        return self.clock.now().astimezone(self.zone).date().isoformat()

    @cached_property
    def change_id(self) -> str:
        """The UUIDv7 that stands on every entry of this invocation."""
        return self.random.uuid7(self.clock.now())

    @cached_property
    def zone(self) -> tzinfo:
        """The zone in which a bare date begins, ``time.zone``."""
        return self.settings.zone()

    def moment(self, text: str, field: str, edge: Edge = "start", direction: Direction = "future") -> str:
        """Read a time that the caller wrote; raises ``BadTime``."""
        from usermgmt.kernel import times

        return times.moment(text, field, now=self.clock.now(), zone=self.zone, edge=edge, direction=direction)

    def require(self, permission: P) -> None:
        """Refuse where the actor lacks ``permission``; raises ``Denied``."""
        if not self.actor.may(permission):
            raise Denied(permission=permission.value, actor=self.actor.name)

    def require_declared(self, permission: P | None) -> None:
        """Refuse where the actor lacks what the command declares."""
        if permission is not None:
            self.require(permission)

    def gave(self, *values: str | None) -> None:
        """Remember values that the caller has just given: they are not masked back."""
        self.given.update(value for value in values if value)

    # -- audit -------------------------------------------------------------------------------------------------

    @property
    def action(self) -> str:
        """How the audit names this command where it was refused."""
        return self.command.replace(" ", ".")

    def audit(self, action: str, target: str, **facts: Any) -> int:
        """Append an entry to the running transaction; see ``Log.append`` for the facts. Returns its ``seq``."""
        return self.log.append(action, target, **facts)

    # -- people ------------------------------------------------------------------------------------------------

    def note(self, message: str) -> None:
        """Say something on standard error that the caller may do without."""
        if not self.output.quiet:
            self.streams.err(neutral(message) + "\n")

    def detail(self, message: str) -> None:
        """Say something on standard error that only ``--verbose`` asks for."""
        if self.output.verbose:
            self.streams.err(neutral(message) + "\n")

    def warn(self, message: str) -> None:
        """Say something on standard error that the caller should know, also with ``--quiet``."""
        self.streams.err(_("warning: {message}").format(message=neutral(message)) + "\n")

    def confirm(self, count: int, question: str, *, grave: bool = True) -> None:
        """Make sure that the caller wants to change ``count`` targets; compared inside the transaction.

        ``grave`` changes (removing, closing) of more than ``MANY`` need the number itself where nobody can be asked.
        Raises ``NeedsConfirmation``, or ``AskFirst`` which the decorator answers.
        """
        consent = self.consent
        if self.dry_run or consent.answered == count:
            return
        if consent.count is not None:
            if consent.count != count:
                raise Conflict(
                    problem=_("--confirm-count {given} was given, but {count} would be changed").format(
                        given=consent.count, count=count
                    ),
                    hint=N_("look at the list again, then confirm its count"),
                )
            return
        if consent.yes and (count <= MANY or consent.may_ask or not grave):
            return
        if consent.may_ask:
            raise AskFirst(question, count)
        if grave and count > MANY:
            raise NeedsConfirmation(
                problem=_("{question} This needs the number of them.").format(question=question),
                hint=N_("pass --confirm-count {count}"),
                count=count,
            )
        raise NeedsConfirmation(problem=question)

    # -- files -------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """Return the path of a file that the caller named."""
        path = Path(name)
        return path if path.is_absolute() else self.cwd / path

    def open_input(self, name: str) -> BinaryIO:
        """Open a file that the caller named for reading; ``-`` is standard input.

        Raises ``FileMissing``, ``FileUnreadable``.
        """
        if name in self._inputs:
            return BytesIO(self._inputs[name])
        if name == "-":
            return self.streams.stdin
        path = self.path(name)
        try:
            # O_NONBLOCK would break pipes given as /dev/fd/N; a directory is refused by the read itself
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            stream = os.fdopen(descriptor, "rb")
        except (FileNotFoundError, ValueError):
            raise FileMissing(path=path) from None
        except OSError as error:
            raise FileUnreadable(path=path, problem=said(error)) from None
        return stream

    def read_ahead(self, name: str) -> None:
        """Read a file that the caller named, or ``-``, whole: before a transaction, which must wait for no pipe.

        A body that runs twice, since it asked first, finds it again. Raises as ``open_input`` does, and ``Invalid``.
        """
        if name in self._inputs:
            return
        stream = self.open_input(name)
        try:
            data = stream.read(LONGEST_INPUT + 1)
        except OSError as error:
            raise FileUnreadable(path=name, problem=said(error)) from None
        finally:
            if name != "-":
                stream.close()
        if len(data) > LONGEST_INPUT:
            raise Invalid(field=name, problem=_("it is longer than {n} bytes").format(n=LONGEST_INPUT))
        self._inputs[name] = data

    def read_text(self, given: str) -> str:
        """Return a text that the caller gave, or standard input where it is ``-``.

        Raises ``Invalid`` where it is too long or not UTF-8.
        """
        if given != "-":
            return given
        data = self.open_input("-").read(LONGEST_TEXT + 1)
        if len(data) > LONGEST_TEXT:
            raise Invalid(field=_("standard input"), problem=_("it is longer than {n} bytes").format(n=LONGEST_TEXT))
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Invalid(field=_("standard input"), problem=_("it is not UTF-8")) from None
