"""The texts of a workbook: their escapes, and the table in which cells find them by number."""

from __future__ import annotations

import os
import re
import tempfile
from array import array
from typing import IO, TYPE_CHECKING

from usermgmt.engines.tabular.source import write_all
from usermgmt.engines.tabular.xlsx.xml import DEPTH, Reader, names
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable

    from usermgmt.engines.tabular.xlsx.xml import Attributes

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
# what XML 1.0 cannot hold (section 2.2), and the return that its readers turn into a line feed
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
LONE = re.compile("[\ud800-\udfff]")
_IN_MEMORY = 1 << 22
_MOST = 1 << 24
"""Texts of one workbook: the sheets of a million rows have no more."""
_NAMES = names("si", "t", "rPh")


def escape(text: str) -> str:
    """Return ``text`` as a workbook can hold it (ST_Xstring, ECMA-376 part 1, 22.9.2.19): ``_x000D_`` for a return.

    An underscore that would begin such an escape is one itself, so that ``unescape`` gives the very text back.
    """
    return _NOT_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", _LOOKS_ESCAPED.sub("_x005F_", text))


def unescape(text: str) -> str:
    """Return the text that ``escape`` wrote."""
    made = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    # a character beyond the 16 bits of an escape is two of them
    return made.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") if LONE.search(made) else made


class SharedStrings:
    """The table of texts: its first 4 Mi characters in memory, the others in an unnamed file that only we can open."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._texts: list[str] = []
        self._room = _IN_MEMORY
        self._file: IO[bytes] | None = None
        self._ends = array("Q", [0])

    def __getitem__(self, number: int) -> str:
        if number < 0:
            raise IndexError(number)
        if number < len(self._texts):
            return self._texts[number]
        number -= len(self._texts)
        start, end = self._ends[number], self._ends[number + 1]
        assert self._file is not None
        return os.pread(self._file.fileno(), end - start, start).decode("utf-8", "surrogatepass")

    def read(self, stream: IO[bytes], file: str, part: str) -> None:
        """Read the part that holds them; a text that is too long for a field is cut, yet still too long."""
        _Texts(Reader(file, part), self._add, self._longest).read(stream)
        if self._file is not None:
            self._file.flush()

    def _add(self, text: str) -> bool:
        """Keep one text; False where there are too many."""
        if self._room > 0:
            self._room -= len(text) + 16
            self._texts.append(text)
            return True
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``close``
        data = text.encode("utf-8", "surrogatepass")
        write_all(self._file, data)
        self._ends.append(self._ends[-1] + len(data))
        return len(self._ends) <= _MOST

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()


class _Texts:
    """Reads the part of the texts and hands each to ``add``; phonetic readings are none of them."""

    def __init__(self, reader: Reader, add: Callable[[str], bool], longest: int) -> None:
        self._reader = reader
        self._add = add
        self._longest = longest
        self._parts: list[str] = []
        self._depth = self._phonetic = 0
        reader.parser.StartElementHandler = self._start
        reader.parser.EndElementHandler = self._end

    def read(self, stream: IO[bytes]) -> None:
        for _piece in self._reader.pieces(stream):
            if sum(map(len, self._parts)) > self._longest:
                self._parts[:] = ["".join(self._parts)[: self._longest + 1]]

    def _start(self, name: str, _attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            self._reader.check_depth(self._depth)
        local = _NAMES.get(name)
        if local == "si":
            self._parts.clear()
        elif local == "rPh":
            self._phonetic += 1
        elif local == "t" and not self._phonetic:
            self._reader.parser.CharacterDataHandler = self._parts.append

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = _NAMES.get(name)
        if local == "t":
            self._reader.parser.CharacterDataHandler = None
        elif local == "rPh":
            self._phonetic -= 1
        elif local == "si":
            text = "".join(self._parts)
            if not self._add(unescape(text) if "_x" in text else text):
                self._reader.broken(_("it holds more than {n} texts").format(n=_MOST))
