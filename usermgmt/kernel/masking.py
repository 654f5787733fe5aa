"""Personal values hidden in every answer, except from those who gave them just now or asked to have them revealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.kernel.cells import text_of
from usermgmt.kernel.text import MASKS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from usermgmt.kernel.context import Context
    from usermgmt.kernel.results import Column, View
    from usermgmt.kernel.settings_attributes import Attribute


def attributes_hidden(
    values: Mapping[str, Any], declared: Mapping[str, Attribute], given: Collection[str]
) -> dict[str, Any]:
    """Return a user's attributes, each masked as its declaration says; one that nobody declares any more is hidden."""
    shown = {}
    for name, value in values.items():
        mask = declared[name].mask if name in declared else "text"
        text = text_of(value)
        shown[name] = MASKS[mask](text) if mask and given_attribute(name, text) not in given else value
    return shown


def given_attribute(name: str, text: str) -> str:
    """Return how a context remembers that the caller gave an attribute: by name, since many are ``true``."""
    return f"{name}={text}"


class Masking:
    """Masks the values of one view for one invocation."""

    def __init__(self, ctx: Context, view: View) -> None:
        self.view = view
        self.revealed = ctx.output.reveal
        self.given = ctx.given
        self._declared = ctx.settings.attributes

    def value(self, column: Column | None, value: Any) -> Any:
        """Return ``value`` masked as ``column`` says, or itself where it need not be."""
        if column is None or not column.mask or self.revealed or value is None or value in ("", [], {}):
            return value
        if isinstance(value, list):
            return [self.value(column, item) for item in value]
        if isinstance(value, dict):
            return attributes_hidden(value, self._declared, self.given)
        if isinstance(value, str) and value in self.given:
            return value
        return MASKS[column.mask](str(value))

    def object(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the object with personal values masked, and as ``masked`` the names of those that were."""
        shown: dict[str, Any] = {}
        hidden = []
        for name, value in values.items():
            shown[name] = self.value(self.view.column(name), value)
            if shown[name] != value:
                hidden.append(name)
        if hidden:
            shown["masked"] = hidden
        return shown

    def changes(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return field -> [before, after] with personal values masked."""
        shown = {}
        for name, pair in changes.items():
            column = self.view.column(name)
            shown[name] = [self.value(column, value) for value in pair] if isinstance(pair, list | tuple) else pair
        return shown

    def columns(self, fields: Sequence[str]) -> list[tuple[int, Column]]:
        """Return which of ``fields``, by position, may have to be masked."""
        if self.revealed:
            return []
        columns = [(i, self.view.column(name)) for i, name in enumerate(fields)]
        return [(i, column) for i, column in columns if column is not None and column.mask]

    def row(self, row: Sequence[Any], hidden: list[tuple[int, Column]]) -> Sequence[Any]:
        """Return a row of a list with its ``hidden`` columns masked."""
        if not hidden:
            return row
        cells = list(row)
        for i, column in hidden:
            cells[i] = self.value(column, row[i])
        return cells
