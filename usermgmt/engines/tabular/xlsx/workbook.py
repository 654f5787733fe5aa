"""What a workbook consists of: its sheets, its texts, and which formats of numbers show dates."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from usermgmt.engines.tabular.errors import BrokenWorkbook, NoSheet, NoSuchSheet, NoWorkbook, WorkbookBomb
from usermgmt.engines.tabular.xlsx.numbers import Kind, built_in, kind_of
from usermgmt.engines.tabular.xlsx.package import Package
from usermgmt.engines.tabular.xlsx.strings import SharedStrings
from usermgmt.engines.tabular.xlsx.xml import elements
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from usermgmt.engines.tabular.types import Limits
    from usermgmt.engines.tabular.xlsx.xml import Attributes

_SHORT = 1 << 24
"""Bytes of a part that is kept whole: the list of sheets, relations, formats."""


@dataclass(slots=True)
class Sheet:
    """One sheet: its name, its part, and whether a person sees it."""

    name: str
    part: str
    visible: bool


@dataclass(slots=True)
class _Relations:
    parts: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def of_kind(self, kind: str) -> str:
        return next((self.parts[key] for key, found in self.kinds.items() if found == kind), "")


class Workbook:
    """An opened workbook, called ``name`` in messages.

    Raises BrokenWorkbook, EncryptedWorkbook, FileTooLarge, NoSheet, NoWorkbook and WorkbookBomb.
    """

    def __init__(self, file: IO[bytes], name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self.package = Package(file, name, limits.file)
        self.from_1904 = False
        self.sheets: list[Sheet] = []
        main = self._relations("").of_kind("officeDocument") or "xl/workbook.xml"
        if main.endswith(".bin"):
            raise NoWorkbook(file=name, kind=_("a binary one (.xlsb)"))
        if main not in self.package:
            raise NoWorkbook(file=name, kind=_("a zip archive of something else"))
        self._related = self._relations(main)
        self._read_sheets(main)
        self.strings = SharedStrings(limits.field)

    def _short(self, part: str) -> None:
        if self.package.size(part) > _SHORT:
            raise WorkbookBomb(file=self.name, packed=0, unpacked=self.package.size(part))

    def _relations(self, part: str) -> _Relations:
        """Read where ``part`` (none: the package) points to (ECMA-376 part 2, 6.5)."""
        folder, leaf = posixpath.split(part)
        own = posixpath.join(folder, "_rels", f"{leaf}.rels")
        found = _Relations()

        def take(name: str, given: Attributes, _parent: str) -> None:
            if name == "Relationship" and given.get("TargetMode") != "External":
                key, target = given.get("Id", ""), given.get("Target", "")
                joined = target[1:] if target.startswith("/") else posixpath.join(folder, target)
                found.parts[key] = posixpath.normpath(joined)
                found.kinds[key] = given.get("Type", "").rpartition("/")[2]

        if own in self.package:
            self._short(own)
            with self.package.open(own) as stream:
                elements(stream, self.name, own, take)
        return found

    def _read_sheets(self, part: str) -> None:
        def take(name: str, given: Attributes, parent: str) -> None:
            if name == "workbookPr":
                self.from_1904 = given.get("date1904") in ("1", "true")
            elif name == "sheet" and parent == "sheets":
                key = given.get("id", "")
                if self._related.kinds.get(key) == "worksheet":
                    seen = given.get("state", "visible") == "visible"
                    self.sheets.append(Sheet(given.get("name", ""), self._related.parts[key], seen))

        self._short(part)
        with self.package.open(part) as stream:
            elements(stream, self.name, part, take)
        if not self.sheets:
            raise NoSheet(file=self.name)

    def sheet(self, name: str) -> Sheet:
        """Return the sheet called ``name``, without one the first that is seen; raises NoSuchSheet."""
        if not name:
            return next((one for one in self.sheets if one.visible), self.sheets[0])
        for one in self.sheets:
            # names of sheets are unique without regard to case
            if one.name.casefold() == name.strip().casefold():
                return one
        raise NoSuchSheet(file=self.name, sheet=name, names=", ".join(one.name for one in self.sheets))

    def read_strings(self) -> None:
        """Read the texts that cells point to."""
        if (part := self._related.of_kind("sharedStrings")) and part in self.package:
            with self.package.open(part) as stream:
                self.strings.read(stream, self.name, part)

    def styles(self) -> list[Kind]:
        """Return what the numbers of each style are shown as (ECMA-376 part 1, 18.8.10)."""
        codes: dict[int, Kind] = {}
        used: list[int] = []

        def take(name: str, given: Attributes, parent: str) -> None:
            number = int(given.get("numFmtId", "0")) if name in ("numFmt", "xf") else 0
            if name == "numFmt":
                codes[number] = kind_of(given.get("formatCode", ""))
            elif name == "xf" and parent == "cellXfs":
                used.append(number)

        part = self._related.of_kind("styles")
        if not part or part not in self.package:
            return []
        self._short(part)
        try:
            with self.package.open(part) as stream:
                elements(stream, self.name, part, take)
        except ValueError as error:
            raise BrokenWorkbook(file=self.name, problem=_("its formats of numbers are damaged")) from error
        return [codes.get(number, built_in(number)) for number in used]

    def close(self) -> None:
        """Let the texts go; the file is the caller's."""
        self.strings.close()
