"""What a caller asks of a user's record: texts as given, and edits of its lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from usermgmt.domains.user.state import State
    from usermgmt.kernel.settings_attributes import Attribute


@dataclass(frozen=True, slots=True)
class Lists:
    """Edits of a user's lists; ``set_*`` replaces, None leaves alone, and ``[""]`` empties."""

    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    set_tags: Sequence[str] | None = None
    add_external_ids: Sequence[str] = ()
    remove_external_ids: Sequence[str] = ()
    set_external_ids: Sequence[str] | None = None
    add_addresses: Sequence[str] = ()
    remove_addresses: Sequence[str] = ()
    set_addresses: Sequence[str] | None = None
    add_attributes: Sequence[str] = ()
    remove_attributes: Sequence[str] = ()
    set_attributes: Sequence[str] | None = None

    def apply(self, before: State, region: str | None, declared: Mapping[str, Attribute]) -> State:
        """Return the lists as they shall be; ``declared`` are the attributes that there are.

        Raises ``Invalid``, ``UnknownAttribute``.
        """
        from usermgmt.domains.user import fields

        tags = set(before["tags"]) if self.set_tags is None else {fields.tag(t) for t in self.set_tags if t}
        tags |= {fields.tag(word) for word in self.add_tags}
        tags -= {word.strip() for word in self.remove_tags}
        ids = dict(before["external_ids"])
        if self.set_external_ids is not None:
            ids = fields.external_ids(item for item in self.set_external_ids if item)
        ids |= fields.external_ids(self.add_external_ids)
        for item in self.remove_external_ids:
            system, slash, value = item.partition("/")
            system = system.strip().lower()
            if not slash or ids.get(system) == value.strip():
                ids.pop(system, None)
        return {
            "tags": sorted(tags),
            "external_ids": ids,
            "addresses": self._addresses(before, region),
            "attributes": self._attributes(before, declared),
        }

    def _attributes(self, before: State, declared: Mapping[str, Attribute]) -> dict[str, str]:
        from usermgmt.domains.user import attributes

        found = dict(before["attributes"])
        if self.set_attributes is not None:
            found = attributes.merged({}, attributes.pairs(declared, filter(None, self.set_attributes)))
        edits = attributes.pairs(declared, self.add_attributes)
        return attributes.merged(found, edits | {name.strip(): None for name in self.remove_attributes})

    def _addresses(self, before: State, region: str | None) -> list[str]:
        from usermgmt.domains.user import fields

        def read(item: str) -> str:
            return ":".join(fields.address(item, region))

        found = set(before["addresses"]) if self.set_addresses is None else {read(a) for a in self.set_addresses if a}
        found |= {read(item) for item in self.add_addresses}
        found -= {read(item) for item in self.remove_addresses}
        return sorted(found)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks of a user's record: field texts as given, and edits of lists."""

    given: Mapping[str, str | None]
    lists: Lists = field(default_factory=Lists)
    allow_confusable: bool = False
    requested_by: str = ""
