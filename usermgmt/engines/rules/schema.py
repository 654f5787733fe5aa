"""What an expression can speak of: fields with their types, how a record has them and how SQL does."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from usermgmt.engines.rules.types import MAP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from usermgmt.engines.rules.types import Type


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    ``sql`` compiles it: asked for ``value`` it returns the expression, which is NULL where there is none; a list is
    asked for ``in`` with the SQL of an item, a condition that is never NULL, and for ``size``. Texts are of code point
    order, times of ``UtcDateTime``.
    ``narrow`` is given a comparison with a value (``==``, ``startsWith``, or ``one_of`` with a tuple of them) and may
    return a condition that follows from it and has an index.
    ``read`` finds the value in a record; without it, it is the record's item of that name. None is no value.
    ``masked``: views mask it; ``exact``: whoever knows a value may all the same ask whether it is this one.
    """

    name: str
    type: Type
    sql: Callable[[str, Any], Any] | None = None
    narrow: Callable[[str, Any], Any] | None = None
    read: Callable[[Mapping[str, Any]], Any] | None = None
    masked: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The names of one kind of record.

    ``families``: a name whose parts are made when they are mentioned, as ``external_ids.ldap``: the function returns
    the field of a part, or None where there is no such part. ``constants`` have one value for the whole question: times
    are canonical text. ``root`` is a prefix that may be left out, so that ``user.status`` and ``status`` are the same.
    """

    fields: Mapping[str, Field]
    families: Mapping[str, Callable[[str], Field | None]] = field(default_factory=dict)
    constants: Mapping[str, tuple[Type, object]] = field(default_factory=dict)
    root: str = ""

    def find(self, parts: tuple[str, ...]) -> Field | tuple[Type, object] | None:
        """Return the field or the constant of a dotted name, ``(MAP, name)`` for a family, None where there is none."""
        name = self._plain(parts)
        if name in self.fields:
            return self.fields[name]
        if name in self.constants:
            return self.constants[name]
        if name in self.families:
            return MAP, name
        return next((self.families[one](part) for one, part in self._of_families(name)), None)

    def _plain(self, parts: tuple[str, ...]) -> str:
        return ".".join(parts[1:] if len(parts) > 1 and parts[0] == self.root else parts)

    def _of_families(self, name: str) -> list[tuple[str, str]]:
        return [(one, name[len(one) + 1 :]) for one in self.families if name.startswith(f"{one}.")]

    def near(self, parts: tuple[str, ...]) -> str:
        """Return the name that may have been meant, or an empty one."""
        names = [*self.fields, *self.constants, *self.families]
        return next(iter(get_close_matches(self._plain(parts)[:100], names, 1)), "")
