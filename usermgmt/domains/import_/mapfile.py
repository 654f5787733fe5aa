"""Map files: which column is which field, and what is done to values on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import get_close_matches
from string import Formatter
from typing import TYPE_CHECKING, Any, NoReturn

from usermgmt.domains.import_ import transforms
from usermgmt.domains.import_.errors import BadMap
from usermgmt.domains.import_.shapes import Shape, Shaping
from usermgmt.kernel.i18n import N_, _
from usermgmt.kernel.settings_file import TomlFault, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from usermgmt.domains.import_.shapes import Template
    from usermgmt.domains.import_.transforms import Step
    from usermgmt.kernel.transfer import Importer

MAP_MAX = 1 << 20
_TABLES = ("columns", "fields", "constants", "skip")
_STEPS = ("trim", "strip-prefix", "strip-suffix", "case", "values", "default", "dates", "zone", "split")
_COLUMN_KEYS = ("field", *_STEPS)
_FIELD_KEYS = ("template", "first", *_STEPS)


@dataclass(slots=True)
class Map:
    """What a map file says.

    ``columns``: header -> fields (none: the column is left out); ``constants``: fields that every record has;
    ``shaping``: what is done to values; ``givers``: the fields that this makes -> where the file says so;
    ``own``: the headers that are given to fields by it.
    """

    columns: dict[str, list[str]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    shaping: Shaping = field(default_factory=Shaping)
    givers: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)


def is_field(name: str, importer: Importer) -> bool:
    """Tell whether a map may name the field ``name``."""
    head, dot, key = name.partition(".")
    return (head in importer.keyed and bool(key)) if dot else name in importer.fields


def decoded(data: bytes, file: str) -> str:
    """Return the text of a map file; raises ``BadMap``."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadMap(file=file, problem=str(error)) from None


def parsed(text: str, file: str) -> dict[str, Any]:
    """Return a map as the tables that it is; raises ``BadMap``."""
    try:
        return parse(text)
    except TomlFault as fault:
        raise BadMap(file=f"{file}:{fault.line}" if fault.line else file, problem=fault.problem) from None


def read_map(text: str, file: str, importer: Importer) -> Map:
    """Read a map; raises ``BadMap``."""
    return _Reader(file, importer).read(parsed(text, file))


class _Reader:
    """Reads one map file."""

    def __init__(self, file: str, importer: Importer) -> None:
        self._file = file
        self._importer = importer
        self._map = Map()

    def read(self, found: dict[str, Any]) -> Map:
        for name in found:
            self._known(name, _TABLES, N_("there is no table [{name}]"))
        tables = {name: found.get(name, {}) for name in _TABLES}
        for name, table in tables.items():
            if not isinstance(table, dict):
                self._bad(_("{name} is not a table").format(name=f"[{name}]"))
        for header, given in tables["columns"].items():
            self._column(header, given)
        for name, given in tables["fields"].items():
            self._field(name, given)
        for header, given in tables["skip"].items():
            values = self._texts(f"skip.{header}", given)
            self._map.shaping.skips[header] = frozenset(one.strip() for one in values)
        self._map.constants = {name: self._constant(name, value) for name, value in tables["constants"].items()}
        return self._map

    def _column(self, header: str, given: Any) -> None:
        where = f"columns.{header}"
        if not isinstance(given, dict):
            self._map.columns[header] = [name for name in self._texts(where, given) if name]
            self._fields(self._map.columns[header])
            return
        self._keys(where, given, _COLUMN_KEYS)
        names = self._texts(where, given.get("field", []))
        if not names:
            self._bad(_("{name} is given no field").format(name=where))
        self._map.own.add(header)
        self._shape(where, names, (header,), given)

    def _field(self, name: str, given: Any) -> None:
        where = f"fields.{name}"
        if not isinstance(given, dict):
            self._bad(_("{name} is not a table").format(name=where))
        self._keys(where, given, _FIELD_KEYS)
        if ("template" in given) == ("first" in given):
            self._bad(_("{name} has either template or first").format(name=where))
        template: Template = ()
        if "template" in given:
            template = self._template(where, given["template"])
            sources = tuple(dict.fromkeys(column for _text, column in template if column))
        else:
            sources = tuple(self._texts(where, given["first"]))
        if not sources:
            self._bad(_("{name} names no column").format(name=where))
        self._shape(where, [name], sources, given, template)

    def _shape(
        self, where: str, names: list[str], sources: tuple[str, ...], given: Mapping[str, Any], template: Template = ()
    ) -> None:
        self._fields(names)
        for name in names:
            if self._map.givers.setdefault(name, where) != where:
                self._bad(
                    _("{one} and {two} both give {name}").format(one=self._map.givers[name], two=where, name=name)
                )
        separator = self._text(where, given, "split")
        parted = bool(separator) and len(names) > 1
        if separator and not parted and names[0] not in self._importer.lists:
            self._bad(_("{name} splits into one field, which is no list").format(name=where))
        try:
            steps = transforms.Steps(self._steps(where, names, given), separator, len(names) if parted else 0)
        except transforms.Unfit as error:
            self._bad(f"{where}: {error}")
        empty = "" in given.get("values", {})
        self._map.shaping.shapes.append(Shape(sources, tuple(names), steps, template, parted, empty))

    def _steps(self, where: str, names: list[str], given: Mapping[str, Any]) -> list[Step]:
        made: list[Step] = []
        if self._flag(where, given, "trim"):
            made.append(str.strip)
        if "strip-prefix" in given:
            made.append(transforms.without_prefix(self._texts(where, given["strip-prefix"])))
        if "strip-suffix" in given:
            made.append(transforms.without_suffix(self._texts(where, given["strip-suffix"])))
        if case := self._text(where, given, "case"):
            if case not in ("lower", "upper"):
                self._bad(_("{name}: case is lower or upper").format(name=where))
            made.append(str.lower if case == "lower" else str.upper)
        if "values" in given or "default" in given:
            made.append(self._values(where, names, given))
        if "dates" in given or "zone" in given:
            made.append(self._dates(where, given))
        return made

    def _values(self, where: str, names: list[str], given: Mapping[str, Any]) -> Step:
        table = given.get("values")
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            self._bad(_("{name}: values is a table of texts").format(name=where))
        default = self._text(where, given, "default") if "default" in given else None
        return transforms.looked_up(table, self._importer.words.get(names[0], {}), default)

    def _dates(self, where: str, given: Mapping[str, Any]) -> Step:
        from zoneinfo import ZoneInfo

        formats = self._texts(where, given.get("dates", []))
        if not formats:
            self._bad(_("{name}: dates names no format").format(name=where))
        zone = self._text(where, given, "zone")
        try:
            return transforms.date_in(formats, ZoneInfo(zone) if zone else None)
        except (ValueError, OSError, LookupError) as error:
            if isinstance(error, transforms.Unfit):
                raise
            self._bad(_("{name}: there is no time zone {zone}").format(name=where, zone=zone))

    def _template(self, where: str, given: Any) -> Template:
        try:
            parts = list(Formatter().parse(given))
        except (ValueError, TypeError):
            parts = [("", None, "!", None)]
        if any(spec or conversion for _text, _name, spec, conversion in parts) or ("" in [one[1] for one in parts]):
            self._bad(_("{name}: a template is a text with columns in braces").format(name=where))
        return tuple((text, name or "") for text, name, _spec, _conversion in parts)

    # -- what is checked -------------------------------------------------------------------------------------------

    def _bad(self, problem: str) -> NoReturn:
        raise BadMap(file=self._file, problem=problem) from None

    def _known(self, name: str, known: Iterable[str], template: str) -> None:
        if name in known:
            return
        problem = _(template).format(name=name)
        if near := get_close_matches(name, known, 1):
            raise BadMap(N_("did you mean {near}?"), file=self._file, problem=problem, near=near[0])
        raise BadMap(N_("it has: {names}"), file=self._file, problem=problem, names=", ".join(known))

    def _keys(self, where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in given:
            self._known(key, known, N_("there is no key {name} here"))
        if not set(given) & {"field", "template", "first"}:
            self._bad(_("{name} says nothing").format(name=where))

    def _fields(self, names: Iterable[str]) -> None:
        for name, count in Counter(names).items():
            if not is_field(name, self._importer):
                raise no_field(name, self._file, self._importer)
            if count > 1:
                self._bad(_("the field {name} is named twice").format(name=name))

    def _texts(self, where: str, given: Any) -> list[str]:
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            self._bad(_("{name} is neither a text nor a list of texts").format(name=where))
        return texts

    def _text(self, where: str, given: Mapping[str, Any], key: str) -> str:
        value = given.get(key, "")
        if not isinstance(value, str) or (not value and key in given and key != "default"):
            self._bad(_("{name}: {key} is not a text").format(name=where, key=key))
        return value

    def _flag(self, where: str, given: Mapping[str, Any], key: str) -> bool:
        value = given.get(key, False)
        if not isinstance(value, bool):
            self._bad(_("{name}: {key} is true or false").format(name=where, key=key))
        return value

    def _constant(self, name: str, value: Any) -> str:
        self._fields([name])
        if not isinstance(value, str):
            self._bad(_("the constant {name} is not a text").format(name=name))
        return value


def no_field(name: str, file: str, importer: Importer) -> BadMap:
    """Return the error for a field that nobody knows."""
    near = get_close_matches(name, importer.fields, 1)
    problem = _("there is no field {name}").format(name=name)
    if near:
        return BadMap(N_("did you mean {near}?"), file=file, problem=problem, near=near[0])
    return BadMap(N_("fields: {names}"), file=file, problem=problem, names=", ".join(importer.fields))
