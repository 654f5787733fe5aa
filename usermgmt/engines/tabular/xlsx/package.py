"""The zip archive that a workbook is: judged by its directory before anything of it is unpacked."""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from usermgmt.engines.tabular.errors import (
    BrokenWorkbook,
    EncryptedWorkbook,
    FileTooLarge,
    NoWorkbook,
    WorkbookBomb,
)
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0"
_END = struct.Struct("<4s4H2IH")
_END_MARK, _WIDE_MARK = b"PK\x05\x06", b"PK\x06\x07"
_DIRECTORY = 1 << 20
"""Bytes of the directory: room for ten thousand parts, and for what reading it makes of them."""
_RATIO, _SMALL = 200, 1 << 24
"""How many times its packed size a part may have; rows of empty cells come to 50, deflate itself to 1032."""


@contextmanager
def sound(name: str) -> Iterator[None]:
    """Turn what the archive's reader says of damaged ones into ``BrokenWorkbook``."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, UnicodeDecodeError) as error:
        raise BrokenWorkbook(file=name, problem=_("the archive is cut off or damaged")) from error


class Package:
    """The parts of one workbook, which ``name`` is called in messages; all of them unpack to ``limit`` bytes at most.

    Raises BrokenWorkbook, EncryptedWorkbook, FileTooLarge, NoWorkbook and WorkbookBomb.
    """

    def __init__(self, file: IO[bytes], name: str, limit: int) -> None:
        self.name = name
        _refuse_other(file, name)
        with sound(name):
            _check_directory(file, name)
            self._archive = zipfile.ZipFile(file)
        self._parts: dict[str, zipfile.ZipInfo] = {}
        for part in self._archive.infolist():
            self._check(part)
        # what is declared is an upper bound: the reader stops there, and finds the checksum wrong
        if sum(part.file_size for part in self._parts.values()) > limit:
            raise FileTooLarge(file=name, limit=limit)

    def _check(self, part: zipfile.ZipInfo) -> None:
        # part names are case-insensitive (ECMA-376 part 2, 6.2.2.3)
        key = part.filename.replace("\\", "/").lstrip("/").lower()
        if key in self._parts:
            raise BrokenWorkbook(file=self.name, problem=_("a part is there twice"))
        self._parts[key] = part
        if part.header_offset < 0:
            raise BrokenWorkbook(file=self.name, problem=_("the archive is cut off or damaged"))
        if part.flag_bits & 0x1:
            raise EncryptedWorkbook(file=self.name)
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BrokenWorkbook(file=self.name, problem=_("a part is packed in an unknown way"))
        if part.file_size > max(_SMALL, _RATIO * part.compress_size):
            raise WorkbookBomb(file=self.name, packed=part.compress_size, unpacked=part.file_size)

    def __contains__(self, part: str) -> bool:
        return part.lower() in self._parts

    def size(self, part: str) -> int:
        """Return how many bytes ``part`` unpacks to."""
        return self._find(part).file_size

    def _find(self, part: str) -> zipfile.ZipInfo:
        if part not in self:
            raise BrokenWorkbook(file=self.name, problem=_("it has no part {part}").format(part=part))
        return self._parts[part.lower()]

    @contextmanager
    def open(self, part: str) -> Iterator[IO[bytes]]:
        """Give the unpacked bytes of ``part``."""
        with sound(self.name), self._archive.open(self._find(part)) as stream:
            yield stream


def _refuse_other(file: IO[bytes], name: str) -> None:
    file.seek(0)
    head = file.read(512)
    if head.startswith(OLE):
        if _holds_package(file, head):
            raise EncryptedWorkbook(file=name)
        raise NoWorkbook(file=name, kind=_("an old one (.xls)"))
    if not head.startswith(ZIP):
        raise NoWorkbook(N_("leave --from out, or name its format"), file=name, kind=_("another kind of file"))


def _holds_package(file: IO[bytes], head: bytes) -> bool:
    """Tell whether an OLE file is what an encrypted workbook is wrapped in (MS-CFB 2.2 and MS-OFFCRYPTO 2.3.4.4)."""
    shift = int.from_bytes(head[30:32], "little")
    if shift not in (9, 12):
        return False
    file.seek((int.from_bytes(head[48:52], "little") + 1) << shift)
    return "EncryptedPackage".encode("utf-16-le") in file.read(1 << 14)


def _check_directory(file: IO[bytes], name: str) -> None:
    """Refuse a directory that is too long to be read, as the end of the file declares it (APPNOTE 4.3.16)."""
    end = file.seek(0, 2)
    file.seek(max(0, end - (1 << 16) - _END.size - 20))
    tail = file.read()
    at = len(tail) - _END.size
    if not (tail[at : at + 4] == _END_MARK and tail[-2:] == b"\0\0"):
        at = tail.rfind(_END_MARK)
    if at < 0:
        raise zipfile.BadZipFile
    entries, size = _END.unpack_from(tail, at)[4:6]
    if size > _DIRECTORY or tail[max(0, at - 20) :][:4] == _WIDE_MARK:
        raise WorkbookBomb(file=name, packed=entries, unpacked=size)
