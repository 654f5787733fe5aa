"""Which column is which field: by name, by a map file, by a guess that is told."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_.errors import BadMap, NoKnownColumn, SameField, UnknownColumns
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterable

    from usermgmt.kernel.transfer import Importer

MAP_MAX = 1 << 20
_BETWEEN = re.compile(r"[\s\-]+")


@dataclass(frozen=True, slots=True)
class Map:
    """What a map file says: header -> fields (none: the column is left out), and fields that every record has."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)


def decoded(data: bytes, file: str) -> str:
    """Return the text of a map file; raises ``BadMap``."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadMap(file=file, problem=str(error)) from None


def read_map(text: str, file: str, importer: Importer) -> Map:
    """Read a map; raises ``BadMap``."""
    found = parsed(text, file)
    columns, constants = found.pop("columns", {}), found.pop("constants", {})
    if found or not isinstance(columns, dict) or not isinstance(constants, dict):
        raise BadMap(file=file, problem=_("it has the tables [columns] and [constants] and nothing else"))
    made = Map({header: _fields(header, given, file) for header, given in columns.items()}, constants)
    for name in [name for names in made.columns.values() for name in names] + list(constants):
        if not _is_field(name, importer):
            raise _no_field(name, file, importer)
    for name, value in constants.items():
        if not isinstance(value, str):
            raise BadMap(file=file, problem=_("the constant {name} is not a text").format(name=name))
    return made


def parsed(text: str, file: str) -> dict[str, Any]:
    """Return a map as the tables that it is; raises ``BadMap``."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadMap(file=file, problem=str(error)) from None


def _fields(header: str, given: Any, file: str) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadMap(file=file, problem=_("the column {name} is given no field").format(name=header))
    return [name for name in names if name]


def _is_field(name: str, importer: Importer) -> bool:
    head, dot, key = name.partition(".")
    return (head in importer.keyed and bool(key)) if dot else name in importer.fields


def _no_field(name: str, file: str, importer: Importer) -> BadMap:
    near = get_close_matches(name, importer.fields, 1)
    problem = _("there is no field {name}").format(name=name)
    if near:
        return BadMap(N_("did you mean {near}?"), file=file, problem=problem, near=near[0])
    return BadMap(N_("fields: {names}"), file=file, problem=problem, names=", ".join(importer.fields))


@dataclass(slots=True)
class Columns:
    """How the columns of one file are taken: header -> fields, the fields all records have, what takes no part."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    guessed: bool = False

    def toml(self) -> str:
        """Return the columns as a map file."""
        import tomli_w

        single = {header: names[0] if len(names) == 1 else names for header, names in self.fields.items()}
        left_out = dict.fromkeys(self.ignored, "")
        tables: dict[str, Any] = {"columns": single | left_out}
        if self.constants:
            tables["constants"] = self.constants
        return tomli_w.dumps(tables)


class Resolver:
    """Finds the fields of headers for one file; ``columns`` is what was found so far."""

    def __init__(self, file: str, importer: Importer, given: Map | None, *, ignore_unknown: bool) -> None:
        self._file = file
        self._importer = importer
        self._map = given or Map()
        self._guesses = {} if given else importer.guesses
        self._ignore_unknown = ignore_unknown
        self.columns = Columns(constants=self._map.constants)

    def header(self, names: Iterable[str]) -> Columns:
        """Take a whole header; raises ``UnknownColumns``, ``NoKnownColumn``, ``SameField``, ``BadMap``."""
        names = list(names)
        if absent := [name for name in self._map.columns if name not in names]:
            problem = _("{file} has no column {name}").format(file=self._file, name=absent[0])
            raise BadMap("", file="--map", problem=problem)
        self.first(names)
        if not self.columns.fields:
            raise NoKnownColumn(file=self._file)
        return self.columns

    def first(self, names: Iterable[str]) -> None:
        """Take the keys of the first record, which must all be known; raises as ``header`` does."""
        unknown = [name for name in names if not self.know(name)]
        if unknown:
            raise self._unknown(unknown)
        self._check_once()

    def know(self, name: str) -> bool:
        """Find the fields of one header, or that it takes no part; False where it is not known."""
        if name in self.columns.fields or name in self.columns.ignored:
            return True
        found = self._find(name)
        if found is None:
            return False
        if found:
            self.columns.fields[name] = found
        else:
            self.columns.ignored.append(name)
        return True

    def _find(self, name: str) -> list[str] | None:
        if name in self._map.columns:
            return self._map.columns[name]
        plain = normal(name)
        if _is_field(plain, self._importer):
            return [plain]
        if plain in self._guesses:
            self.columns.guessed = True
            return [self._guesses[plain]]
        return [] if plain in self._importer.passive or self._ignore_unknown else None

    def _check_once(self) -> None:
        givers: dict[str, str] = dict.fromkeys(self.columns.constants, "[constants]")
        for header, names in self.columns.fields.items():
            for name in names:
                if (other := givers.setdefault(name, header)) != header:
                    raise SameField(file=self._file, columns=f"{other}, {header}", field=name)

    def _unknown(self, names: list[str]) -> UnknownColumns:
        columns = ", ".join(names)
        known = [*self._importer.fields, *self._importer.guesses]
        near = get_close_matches(normal(names[0]), known, 1)
        if not near:
            return UnknownColumns(file=self._file, columns=columns)
        meant = self._importer.guesses.get(near[0], near[0])
        hint = N_("did you mean {near}? Name the field with --map, or pass --ignore-unknown")
        return UnknownColumns(hint, file=self._file, columns=columns, near=meant)


def normal(header: str) -> str:
    """Return a header in the form in which it is looked up."""
    return _BETWEEN.sub("_", header.strip()).casefold()
