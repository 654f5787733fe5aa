"""Values as a person reads them in a table: labels for enums, local time, no braces; everything neutralised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.kernel.clock import from_text
from usermgmt.kernel.i18n import _
from usermgmt.kernel.text import neutral

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from usermgmt.kernel.results import View
    from usermgmt.kernel.settings_attributes import Attribute


class Words:
    """Says the values of one view; ``zone`` None leaves times as they are stored, in UTC.

    ``attributes`` are those that the configuration declares, for what people call them.
    """

    def __init__(self, view: View, zone: tzinfo | None, attributes: Mapping[str, Attribute] | None = None) -> None:
        self.view = view
        self._attributes = attributes or {}
        self.zone = zone
        self._kinds = {column.name: column.kind for column in view.columns}

    def label(self, name: str) -> str:
        """Return what a column is called."""
        column = self.view.column(name)
        return _(column.label) if column is not None else name

    def lines(self, name: str, value: Any) -> list[str]:
        """Return the lines that say a value where it has room: a note or a changed field on each."""
        return self._listed(name, value) or [self.cell(name, value)]

    def _listed(self, name: str, value: Any) -> list[str]:
        kind = self._kinds.get(name)
        if kind == "notes" and isinstance(value, list):
            return [line for note in value for line in self._note(note)]
        if kind == "changes" and isinstance(value, dict):
            return [_change(field, pair) for field, pair in value.items()]
        if kind == "attributes" and isinstance(value, dict):
            return [neutral(f"{self._called(one)}: {_plain(item)}") for one, item in value.items()]
        return []

    def _called(self, name: str) -> str:
        declared = self._attributes.get(name)
        return name if declared is None else declared.label or name

    def cell(self, name: str, value: Any) -> str:
        """Return a value as one cell."""
        if value is None:
            return ""
        labels = self.view.enums.get(name)
        if labels and isinstance(value, str) and value in labels:
            return _(labels[value])
        if self._kinds.get(name) == "time":
            return self._time(value)
        if self._kinds.get(name) == "tree":
            *above, last = str(value).split("/")
            return "  " * len(above) + neutral(last)
        return "; ".join(self._listed(name, value)) or neutral(_plain(value))

    def _time(self, value: Any) -> str:
        if self.zone is None:
            return neutral(str(value))
        try:
            return from_text(value).astimezone(self.zone).isoformat(" ", "seconds")
        except (ValueError, TypeError, OverflowError):
            # a row that something else wrote, or a moment next to the end of the calendar
            return neutral(str(value))

    def _note(self, note: dict[str, Any]) -> list[str]:
        head = f"{self._time(note['at'])} {neutral(str(note['actor']))}:"
        first, *rest = str(note["text"]).split("\n")
        return [f"{head} {neutral(first)}", *(f"  {neutral(line)}" for line in rest)]


def _change(field: str, pair: Any) -> str:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return neutral(f"{field}: {_plain(pair)}")
    before, after = (_plain(value) for value in pair)
    return neutral(f"{field}: {before} -> {after or '-'}" if before else f"{field}: {after}")


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={_plain(item)}" for name, item in value.items())
    return str(value)
