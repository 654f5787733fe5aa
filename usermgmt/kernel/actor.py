"""Who acts: the operating system's account, and a claim made through sudo only where the kernel bears it out."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from usermgmt.kernel.permissions import P

_ADOPTER = 1  # the process that orphans fall to
_NO_LOGIN = 4294967295  # (uid_t) -1: the kernel's "never set"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who performs an audited action: ``owner`` (the account that holds the store), ``root``, ``job``, later operators.

    ``user_uid`` is the user through whose account the caller acts, where the store links one (external id ``os/UID``).
    """

    kind: str
    id: str
    os_uid: int
    claimed_uid: int | None = None
    login_uid: int | None = None
    via: str = "direct"
    user_uid: str = ""
    doubtful: bool = False
    """Whether the call may come through a sudo that is no longer there to prove it."""

    @property
    def narrow(self) -> bool:
        """Whether the call takes and gives data through its streams only, as one through sudo does."""
        return self.via == "sudo" or self.doubtful

    @property
    def name(self) -> str:
        """How the audit names this actor: ``owner``, ``root``, ``job:<name>``, ``operator:<uid>``."""
        return self.kind if self.kind in ("owner", "root") else f"{self.kind}:{self.id}"

    @property
    def account(self) -> int:
        """The OS account of the person: the one that sudo proves, else the calling one."""
        return self.claimed_uid if self.via == "sudo" and self.claimed_uid is not None else self.os_uid

    def may(self, permission: P) -> bool:  # noqa: ARG002 - operators' roles will decide by it
        """Tell whether this actor holds ``permission``; the owner, root and the program's own jobs hold every one."""
        return self.kind in ("owner", "root", "job")

    def linked(self, user_uid: str) -> Actor:
        """Return this actor acting through the account of user ``user_uid``."""
        return replace(self, user_uid=user_uid)

    def working_for(self, job: str) -> Actor:
        """Return the actor of what ``job`` does, in the account that runs it."""
        return replace(self, kind="job", id=job)

    def trace(self, command: str) -> str:
        """Return what the audit keeps about how the actor came in, as canonical JSON."""
        facts: dict[str, object] = {"command": command, "os_uid": self.os_uid, "via": self.via}
        if self.claimed_uid is not None:
            facts["claimed_uid"] = self.claimed_uid
        if self.login_uid is not None:
            facts["login_uid"] = self.login_uid
        return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()


def resolve(env: Mapping[str, str]) -> Actor:
    """Return the actor of this process.

    ``SUDO_UID`` says who it is only where the parent process has effective uid 0 and that real uid, as sudo itself has
    while it waits. A claim that is not borne out names nobody, but it narrows the call, unless the parent is a process
    of this very account, as the shell of ``sudo -s`` is: whoever calls through sudo may kill it, and is then no freer.
    """
    euid = os.geteuid()
    claimed = _claim(env)
    parent = _parent_uids()
    proven = claimed is not None and parent == (claimed, 0)
    own = parent == (euid, euid) and os.getppid() != _ADOPTER
    doubtful = claimed is not None and not own
    kind = "root" if euid == 0 else "owner"
    via = "sudo" if proven else "direct"
    return Actor(kind, str(euid), euid, claimed, _login_uid(), via, doubtful=doubtful)


def _claim(env: Mapping[str, str]) -> int | None:
    text = env.get("SUDO_UID", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None


def _parent_uids() -> tuple[int, int] | None:
    try:
        status = Path(f"/proc/{os.getppid()}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("Uid:"):
            real, effective = line.split()[1:3]
            return int(real), int(effective)
    return None


def _login_uid() -> int | None:
    try:
        uid = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        return None
    return None if uid == _NO_LOGIN else uid
