"""What the store stands on: configuration, SQLite, its file and directory, the file system, the disk."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from usermgmt.domains.config import service as configuration_of
from usermgmt.domains.doctor import fixes
from usermgmt.domains.doctor.types import Finding, Severity
from usermgmt.domains.store import places
from usermgmt.kernel import sqlite
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from usermgmt.kernel.context import Context

NETWORK = re.compile(
    "9p|afs|ceph|cifs|davfs|gfs2|glusterfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|prl_fs|smb3|smbfs|vboxsf|"
    "fuse[.](ceph|davfs2?|gcsfuse|glusterfs|rclone|s3fs|sshfs)"
)
"""File systems whose locks other hosts may not see, or that keep no shared memory: SQLite is not safe there."""
ROOM = 64 << 20
"""Bytes that should be free at least: SQLite cannot even remove rows on a full disk."""


def configuration(ctx: Context) -> Iterator[Finding]:
    """Judge the files and variables that settings come from."""
    found = configuration_of.validate(ctx.env, ctx.cwd, ctx.config_file, os.geteuid())
    for one in found.problems:
        told = f"{one.where}: {one.key}: {one.problem}" if one.key else f"{one.where}: {one.problem}"
        yield Finding("configuration", Severity.ERROR, told, one.advice or "usermgmt config validate")
    if not found.problems:
        told = _("{count} files, no problem").format(count=len(found.files))
        yield Finding("configuration", Severity.OK, told)


def engine() -> Finding:
    """Judge the SQLite library."""
    version = sqlite.version()
    facts = {"version": ".".join(map(str, version)), "driver": sqlite.driver().__name__.partition(".")[0]}
    if sqlite.wal_is_safe(version):
        return Finding("engine", Severity.OK, _("SQLite {version} ({driver}), with a write-ahead log").format(**facts))
    return Finding(
        "engine",
        Severity.WARNING,
        _("SQLite {version} ({driver}) may corrupt a write-ahead log: stores do without it").format(**facts),
        "pip install sqlcipher3",
    )


def file(path: Path) -> Iterator[Finding]:
    """Judge who may read and write the store's file and what SQLite puts beside it."""
    there = [path, *(path.with_name(path.name + end) for end in places.SIDE_FILES)]
    open_ = [one for one in there if _mode(one) & 0o077]
    if open_:
        names = " ".join(str(one) for one in open_)
        told = _("other accounts may read or write {names}").format(names=names)
        yield Finding("file", Severity.WARNING, told, f"chmod 600 {names}", fix=fixes.narrowing(there, 0o077))
    elif os.path.lexists(path):
        yield Finding("file", Severity.OK, _("mode {mode:o}, private").format(mode=_mode(path)))


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.lstat().st_mode)
    except FileNotFoundError:
        return 0


def directory(path: Path) -> Iterator[Finding]:
    """Judge who may put other files in the place of the store's."""
    info = path.parent.stat()
    mode = stat.S_IMODE(info.st_mode)
    facts = {"path": path.parent, "mode": f"{mode:o}"}
    if mode & 0o022:
        told = _("other accounts may write to the directory {path} (mode {mode})").format(**facts)
        fix = fixes.narrowing([path.parent], 0o022)
        yield Finding("directory", Severity.WARNING, told, f"chmod go-w {path.parent}", fix=fix)
    elif info.st_uid not in (os.geteuid(), 0):
        told = _("the directory {path} belongs to another account").format(**facts)
        yield Finding("directory", Severity.WARNING, told)
    else:
        yield Finding("directory", Severity.OK, _("{path}, mode {mode}").format(**facts))


def file_system(path: Path) -> Iterator[Finding]:
    """Judge the file system by the kernel's list of mounts."""
    kind = kind_of(path)
    if NETWORK.fullmatch(kind):
        yield Finding(
            "file-system",
            Severity.WARNING,
            _("the store is on {kind}, a network file system, where locks of SQLite may not hold").format(kind=kind),
            _("move it to a local disk, or to PostgreSQL: usermgmt store backup, usermgmt --store URL store restore"),
        )
    else:
        yield Finding("file-system", Severity.OK, kind or _("unknown"))


def kind_of(path: Path) -> str:
    """Return the type of the file system that ``path`` is on, empty where nobody tells."""
    return mounted(path.parent.resolve(), Path("/proc/self/mountinfo").read_text(errors="replace"))


def mounted(path: Path, mountinfo: str) -> str:
    """Return the type of the file system that ``path`` is on, empty where ``mountinfo`` (proc(5)) does not tell."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        # blanks and such stand as octal escapes
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        # of two at one place, the later one is on top
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


def space(path: Path) -> Iterator[Finding]:
    """Judge the room on the disk: a migration or a restore needs the store's size once more."""
    found = os.statvfs(path.parent)
    free = found.f_bavail * found.f_frsize
    size = path.stat().st_size if path.exists() else 0
    facts = {"free": free >> 20, "size": size >> 20}
    if free < max(ROOM, 2 * size):
        told = _("{free} MiB free, for a store of {size} MiB").format(**facts)
        yield Finding("space", Severity.WARNING, told, _("make room: a full disk stops every change"))
    else:
        yield Finding("space", Severity.OK, _("{free} MiB free").format(**facts))


def leftovers(path: Path) -> Iterator[Finding]:
    """Find what a killed run left beside the store: copies of it, with everybody's data."""
    for one in sorted(path.parent.glob(f".{path.name}.*")):
        if one.is_dir() and not one.is_symlink() and not places.is_claimed(one):
            told = _("{path} was left by a command that was killed, and may hold a copy of the store").format(path=one)
            yield Finding("leftovers", Severity.WARNING, told, f"rm -r {one}", fix=fixes.litter(one, path.name))
    for one in sorted(path.parent.glob(f"{path.name}.broken-*")):
        told = _("{path} is a damaged store that a restore moved aside").format(path=one)
        yield Finding("leftovers", Severity.INFO, told, f"rm {one}")


OF_A_FILE: dict[str, Callable[[Path], Iterator[Finding]]] = {
    "file": file,
    "directory": directory,
    "file-system": file_system,
    "space": space,
    "leftovers": leftovers,
}
