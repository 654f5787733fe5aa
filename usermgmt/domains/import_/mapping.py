"""Which column of a file is which field: by name, by a map file, by a guess that is told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from usermgmt.domains.import_.errors import BadMap, NoKnownColumn, SameField, UnknownColumns
from usermgmt.domains.import_.mapfile import Map, is_field
from usermgmt.kernel.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterable

    from usermgmt.kernel.transfer import Importer

_BETWEEN = re.compile(r"[\s\-]+")


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
        self.shaping = self._map.shaping if given and (given.shaping.shapes or given.shaping.skips) else None
        """What is done to values on their way, where a map has anything done."""
        self.used: set[str] = set()
        """Columns that take part in nothing else."""
        self.begun = False
        """Whether a header, or the keys of a first record, were taken."""
        self._shaped = self.shaping.columns if self.shaping else set()

    def header(self, names: Iterable[str]) -> Columns:
        """Take a whole header; raises ``UnknownColumns``, ``NoKnownColumn``, ``SameField``, ``BadMap``."""
        names = list(names)
        if absent := [name for name in (*self._map.columns, *sorted(self._shaped)) if name not in names]:
            problem = _("{file} has no column {name}").format(file=self._file, name=absent[0])
            raise BadMap("", file="--map", problem=problem)
        self.first(names)
        if not (self.columns.fields or self._map.givers):
            raise NoKnownColumn(file=self._file)
        return self.columns

    def first(self, names: Iterable[str]) -> None:
        """Take the keys of the first record, which must all be known; raises as ``header`` does."""
        self.begun = True
        unknown = [name for name in names if not self.know(name)]
        if unknown:
            raise self._unknown(unknown)
        self._check_once()

    def know(self, name: str) -> bool:
        """Find the fields of one header, or that it takes no part; False where it is not known."""
        if name in self.columns.fields or name in self.columns.ignored or name in self.used:
            return True
        found = self._find(name)
        if found is None:
            return False
        if found:
            self.columns.fields[name] = found
        elif name in self._shaped:
            self.used.add(name)
        else:
            self.columns.ignored.append(name)
        return True

    def _find(self, name: str) -> list[str] | None:
        if name in self._map.columns:
            return self._map.columns[name]
        if name in self._map.own:
            return []
        plain = normal(name)
        used = name in self._shaped
        if is_field(plain, self._importer) and not (used and plain in self._map.givers):
            return [plain]
        if used:
            return []
        if plain in self._guesses:
            self.columns.guessed = True
            return [self._guesses[plain]]
        return [] if plain in self._importer.passive or self._ignore_unknown else None

    def _check_once(self) -> None:
        givers = dict.fromkeys(self.columns.constants, "[constants]")
        for name, place in self._map.givers.items():
            if (other := givers.setdefault(name, place)) != place:
                raise SameField(file=self._file, columns=f"{other}, {place}", field=name)
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
