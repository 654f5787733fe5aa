"""Plays back what the shim recorded up to a power cut: what was synced is on the disk, of the rest what chance says.

The model: a file's bytes are safe once the file was synced, a name once its directory was. Of the writes and
truncations of a file since its last sync any subset may have reached the disk, a write also in part, in sectors of 512
bytes; of the changes of names in one directory any beginning, since file systems keep these in order. Directories do
not wait for one another. Not modelled: disks that lie about a sync, sectors that are torn within.
"""

from __future__ import annotations

import copy
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAD = struct.Struct("@c3xiqqii")
SECTOR = 512
PASSING = ("-shm",)
"""Ends of names whose content a crash of the machine makes void: shared memory, made anew by whoever comes first."""


@dataclass(frozen=True)
class Call:
    """One recorded call; see ``note`` in ``shim.c``."""

    kind: str
    fd: int
    offset: int
    size: int
    first: str
    second: str
    data: bytes


def recorded(path: Path) -> list[Call]:
    data, at, calls = path.read_bytes(), 0, []
    while at < len(data):
        kind, fd, offset, size, first, second = HEAD.unpack_from(data, at)
        at += HEAD.size
        names = data[at : at + first].decode(), data[at + first : at + first + second].decode()
        at += first + second
        written = size if kind == b"w" else 0
        calls.append(Call(kind.decode(), fd, offset, size, *names, data[at : at + written]))
        at += written
    return calls


@dataclass
class File:
    """What is on the disk, and what is on its way there: writes ``(offset, bytes)`` and sizes ``(size, None)``."""

    safe: bytes = b""
    waiting: list[tuple[int, bytes | None]] = field(default_factory=list)

    def image(self, dice: Any, share: float) -> bytes:
        """Return what the disk may hold: each waiting change with the probability ``share``."""
        data = bytearray(self.safe)
        for offset, change in self.waiting:
            if dice.random() < share:
                _apply(data, offset, change if dice.random() < 0.8 else _torn(dice, offset, change))
        return bytes(data)

    def sync(self) -> None:
        data = bytearray(self.safe)
        for offset, change in self.waiting:
            _apply(data, offset, change)
        self.safe, self.waiting = bytes(data), []


def _apply(data: bytearray, offset: int, change: bytes | None) -> None:
    if change is None:
        del data[offset:]
        data.extend(bytes(offset - len(data)))
        return
    if not change:
        return
    data.extend(bytes(max(0, offset - len(data))))
    data[offset : offset + len(change)] = change


def _torn(dice: Any, offset: int, change: bytes | None) -> bytes | None:
    if change is None:
        return None
    # cut where a sector of the disk begins
    ends = range(SECTOR - offset % SECTOR, len(change), SECTOR)
    return change[: dice.choice(ends)] if ends else b""


class Disk:
    """Files below one directory, while calls are played back."""

    def __init__(self, start: dict[str, bytes], folders: set[str]) -> None:
        """Begin with files and directories that are safe."""
        self.root = min(folders)
        self.now: dict[str, File | None] = {name: File(data) for name, data in start.items()}
        self.now |= dict.fromkeys(folders)
        self.safe = dict(self.now)
        self.renaming: dict[str, list[tuple[str, File | None, str]]] = {}
        """For each directory, its changes that are on their way: added or removed name, what has it, a name it had."""
        self.open: dict[int, str] = {}
        self.files: dict[int, File | None] = {}

    def play(self, call: Call) -> None:
        getattr(self, f"_{call.kind}")(call)

    def _changed(self, name: str, what: File | str | None, before: str = "") -> None:
        folder = name.rpartition("/")[0]
        self.renaming.setdefault(folder, []).append((name, what, before))  # type: ignore[arg-type]

    def _o(self, call: Call) -> None:
        name = call.first
        if name not in self.now:
            self.now[name] = File()
            self._changed(name, self.now[name])
        found = self.now[name]
        if call.offset and found is not None:
            found.waiting.append((0, None))
        self.open[call.fd], self.files[call.fd] = name, found

    def _c(self, call: Call) -> None:
        self.open.pop(call.fd, None)
        self.files.pop(call.fd, None)

    def _w(self, call: Call) -> None:
        self._file(call).waiting.append((call.offset, call.data))

    def _t(self, call: Call) -> None:
        self._file(call).waiting.append((call.offset, None))

    def _file(self, call: Call) -> File:
        found = self.files[call.fd]
        assert found is not None, self.open[call.fd]
        return found

    def _s(self, call: Call) -> None:
        found = self.files[call.fd]
        if found is not None:
            found.sync()
            return
        _settle(self.safe, self.renaming.pop(self.open[call.fd], []))

    def _m(self, call: Call) -> None:
        self.now[call.first] = None
        self._changed(call.first, None)

    def _u(self, call: Call) -> None:
        # shared memory that a reader had made before is not among them
        self.now.pop(call.first, None)
        self._changed(call.first, "gone")

    def _l(self, call: Call) -> None:
        self.now[call.second] = self.now[call.first]
        self._changed(call.second, self.now[call.first])

    def _r(self, call: Call) -> None:
        self.now[call.second] = self.now.pop(call.first)
        # one change, of the directory that the file comes into
        self._changed(call.second, self.now[call.second], call.first)

    def _A(self, _call: Call) -> None:  # noqa: N802 - the letter of an acknowledgement
        pass

    def image(self, dice: Any, share: float) -> dict[str, bytes | None]:
        """Return what a power cut now may leave: names with bytes, or None for a directory."""
        names = copy.copy(self.safe)
        for changes in self.renaming.values():
            reached = len(changes) if share == 1 else dice.randint(0, len(changes)) if share else 0
            _settle(names, changes[:reached])
        images: dict[int, bytes] = {}
        left: dict[str, bytes | None] = {}
        for name, found in sorted(names.items()):
            # a name is found by its directory, and that one by its own, up to where all began
            if name.endswith(PASSING) or (name != self.root and name.rpartition("/")[0] not in left):
                continue
            if found is not None and id(found) not in images:
                images[id(found)] = found.image(dice, share)
            left[name] = None if found is None else images[id(found)]
        return left


def _settle(names: dict[str, File | None], changes: list[tuple[str, Any, str]]) -> None:
    for name, what, before in changes:
        if what == "gone":
            names.pop(name, None)
            continue
        names.pop(before, None)
        names[name] = what


def held(root: Path) -> tuple[dict[str, bytes], set[str]]:
    """Return the files and directories below ``root``, by their full names."""
    paths = [root, *root.rglob("*")]
    files = {str(path): path.read_bytes() for path in paths if path.is_file() and not path.name.endswith(PASSING)}
    return files, {str(path) for path in paths if path.is_dir()}


def write(image: dict[str, bytes | None], root: Path, to: Path) -> None:
    """Write an image of what was below ``root`` to the directory ``to``."""
    to.mkdir(mode=0o700)
    for name in sorted(image):
        path, data = to / Path(name).relative_to(root), image[name]
        if data is None:
            path.mkdir(mode=0o700, exist_ok=True)
        else:
            path.write_bytes(data)
            path.chmod(0o600)
