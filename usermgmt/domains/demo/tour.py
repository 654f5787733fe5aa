"""The tour itself: steps as data, run one after another in a directory that goes away."""

from __future__ import annotations

import io
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from usermgmt.kernel import sqlite
from usermgmt.kernel.errors import Exit, UsermgmtError
from usermgmt.kernel.i18n import N_, _, language
from usermgmt.kernel.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from usermgmt.kernel.context import Context

SAMPLE = Path(__file__).with_name("sample.csv")


class DemoFailed(UsermgmtError):
    """The demonstration failed at {command}: exit {code}, expected {expected}."""

    code = "demo.failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the tour: why it is run, and the exit code that it must have."""

    why: str
    argv: tuple[str, ...]
    expected: Exit = Exit.OK
    before: Callable[[Path], str] | None = None
    """What is done to the files first, behind the program's back; returns the words for it."""


def _tamper_entry(folder: Path) -> str:
    shutil.copytree(folder / "live", folder / "copy")
    _change(folder / "copy" / "store.db", "UPDATE audit_entry SET outcome = 'denied' WHERE seq = 4")
    return _("A copy of the store is made, and entry 4 of its audit is changed with another program.")


def _tamper_email(folder: Path) -> str:
    shutil.rmtree(folder / "copy")
    shutil.copytree(folder / "live", folder / "copy")
    _change(folder / "copy" / "store.db", "UPDATE \"user\" SET email = 'mallory@example.com' WHERE username = 'alice'")
    return _("In another copy, Alice's email is changed in the table of users, past the audit.")


def _change(store: Path, statement: str) -> None:
    connection = sqlite.driver().connect(store)
    try:
        connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


LIVE, COPY = "live/store.db", "copy/store.db"
STEPS = (
    Step(
        N_("A store is created: one private file, with a signing key and anchors beside it."),
        ("init", "--region", "CN"),
    ),
    Step(
        N_("A user list from another system comes in; its Chinese headers are recognised."),
        ("import", "users", "sample.csv"),
    ),
    Step(N_("The same file again changes nothing."), ("import", "users", "sample.csv")),
    Step(N_("Personal data is masked in every output."), ("user", "list", "-o", "table")),
    Step(
        N_("A write can be rehearsed: the real code runs, and is rolled back."),
        ("user", "suspend", "bob", "--reason", "chargeback", "--dry-run"),
    ),
    Step(N_("Then it is done, with its reason."), ("user", "suspend", "bob", "--reason", "chargeback")),
    Step(
        N_("A second user takes another name; the old one stays reserved."), ("user", "rename", "carla", "carla.gomez")
    ),
    Step(N_("What happened to a user is on the audit log."), ("user", "history", "bob", "-o", "table")),
    Step(
        N_("The log proves itself: the chain, its anchors, and the users it adds up to."),
        ("audit", "verify", "--state"),
    ),
    Step(
        N_("Verification names the entry that was changed."),
        ("--store", COPY, "audit", "verify"),
        Exit.INTEGRITY,
        _tamper_entry,
    ),
    Step(
        N_("Verification of the state names the user."),
        ("--store", COPY, "audit", "verify", "--state"),
        Exit.INTEGRITY,
        _tamper_email,
    ),
    Step(N_("A backup is verified as it is made."), ("store", "backup", "backup.db")),
    Step(N_("And the users go out again."), ("export", "users", "-o", "csv")),
)


def tour(ctx: Context) -> Iterator[bytes]:
    """Yield the tour as it goes; raises ``DemoFailed`` where a step does not end as it must."""
    with tempfile.TemporaryDirectory(prefix="usermgmt-demo-") as name:
        folder = Path(name)
        shutil.copy(SAMPLE, folder / "sample.csv")
        for number, step in enumerate(STEPS, 1):
            yield f"{number}. {_(step.why)}\n".encode()
            if step.before is not None:
                yield f"   {step.before(folder)}\n".encode()
            yield from _run(ctx, folder, step)
    done = _("That was the main job: users in, managed, audited, out. The temporary store is gone.")
    yield f"{done}\n{_('Next: usermgmt init, then usermgmt help getting-started.')}\n".encode()


def _run(ctx: Context, folder: Path, step: Step) -> Iterator[bytes]:
    from usermgmt.main import run

    yield f"   $ {join(('usermgmt', *step.argv))}\n".encode()
    out = io.BytesIO()
    streams = Streams(io.BytesIO(), out, out, width=max(ctx.streams.width, 120))
    env = {
        "HOME": str(folder),
        "PATH": ctx.env.get("PATH", ""),
        "USERMGMT_STORE": LIVE,
        "USERMGMT_LANG": language(),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "USERMGMT_CONFIG": "",
    }
    code = run(step.argv, env, folder, streams, ctx.clock, ctx.random)
    for line in out.getvalue().splitlines():
        yield b"   " + line + b"\n"
    yield f"   -> {code}\n\n".encode() if code else b"\n"
    if code != step.expected:
        raise DemoFailed(command=join(step.argv), code=code, expected=int(step.expected))
