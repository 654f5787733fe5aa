"""XML parts, read piece by piece: no document types, and nothing that grows without end."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NoReturn
from xml.parsers import expat  # nosemgrep - entities need a document type, and that is refused

from usermgmt.engines.tabular.errors import BrokenWorkbook
from usermgmt.kernel.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Attributes = dict[str, str]

MAIN = ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main")
"""The namespace of workbooks: transitional, which everybody writes, and strict."""
_PIECE = 1 << 16
_TOKEN, _NAMES = 1 << 20, 10_000
"""How long a tag may be, and how many names there may be."""
DEPTH = 64
"""How many elements around one there may be."""


def names(*local: str) -> dict[str, str]:
    """Return the full names of elements of workbooks -> their local names."""
    return {f"{space} {name}": name for space in MAIN for name in local}


class Reader:
    """Reads one part; ``parser`` is expat's, whose handlers are set by whoever reads.

    Raises BrokenWorkbook.
    """

    def __init__(self, file: str, part: str) -> None:
        self._file = file
        self._part = part
        self._names: dict[str, str] = {}
        self._spaces = 0
        self.parser = parser = expat.ParserCreate(None, " ", self._names)
        parser.buffer_text = True
        parser.buffer_size = _PIECE
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartNamespaceDeclHandler = self._space

    def _refuse(self, *_given: object) -> NoReturn:
        self.broken(_("it declares a document type"))

    def _space(self, _prefix: str | None, _uri: str) -> None:
        self._spaces += 1
        if self._spaces > _NAMES:
            self._refuse_bomb()

    def _refuse_bomb(self) -> NoReturn:
        self.broken(_("there is no end to its names or tags"))

    def check_depth(self, depth: int) -> None:
        """Refuse elements within elements without end."""
        if depth > DEPTH:
            self._refuse_bomb()

    def broken(self, problem: str) -> NoReturn:
        """Raise ``problem`` as one of the part."""
        text = _("{part}: {problem}").format(part=self._part, problem=problem)
        raise BrokenWorkbook(file=self._file, problem=text) from None

    def pieces(self, stream: IO[bytes]) -> Iterator[int]:
        """Parse the part, and yield after each piece of it how many bytes that were."""
        parser, fed = self.parser, 0
        try:
            while piece := stream.read(_PIECE):
                parser.Parse(piece, False)
                fed += len(piece)
                if fed - max(0, parser.CurrentByteIndex) > _TOKEN or len(self._names) > _NAMES:
                    self._refuse_bomb()
                yield len(piece)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            self.broken(_("line {line}, column {column}: it is not XML").format(line=error.lineno, column=error.offset))


def elements(stream: IO[bytes], file: str, part: str, take: Callable[[str, Attributes, str], None]) -> None:
    """Call ``take`` with the local name, the attributes and the parent's name of each element of a short part."""
    reader = Reader(file, part)
    path = [""]

    def start(name: str, attributes: Attributes) -> None:
        local = name.rpartition(" ")[2]
        reader.check_depth(len(path))
        take(local, {key.rpartition(" ")[2]: value for key, value in attributes.items()}, path[-1])
        path.append(local)

    def end(_name: str) -> None:
        path.pop()

    reader.parser.StartElementHandler = start
    reader.parser.EndElementHandler = end
    for _piece in reader.pieces(stream):
        pass
