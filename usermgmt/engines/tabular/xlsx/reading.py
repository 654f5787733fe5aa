"""Opens one sheet of a workbook as a table."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from usermgmt.engines.tabular.xlsx.sheet import SheetRows
from usermgmt.engines.tabular.xlsx.workbook import Workbook

if TYPE_CHECKING:
    from usermgmt.engines.tabular.source import Source
    from usermgmt.engines.tabular.types import Limits


class WorkbookRows(SheetRows):
    """The rows of the sheet ``sheet`` of the workbook in ``source``; closes both."""

    def __init__(self, source: Source, sheet: str, limits: Limits) -> None:
        with ExitStack() as stack:
            book = stack.enter_context(closing(Workbook(source.file(), source.name, limits)))
            super().__init__(book, sheet)
            stack.callback(source.close)
            self._closing = stack.pop_all()

    def close(self) -> None:
        """Let go what was unpacked, and the copy of a pipe where one was made."""
        self._items.close()
        self._closing.close()
