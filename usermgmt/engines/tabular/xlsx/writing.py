"""Writes a workbook of one sheet: every cell a text, no formulas and no links, the header frozen."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING, BinaryIO

from usermgmt.engines.tabular.errors import CellTooLong, SheetFull
from usermgmt.engines.tabular.source import noticing_full_disk
from usermgmt.engines.tabular.types import ROWS_OF_SHEET
from usermgmt.engines.tabular.writing import Writer, cell_text
from usermgmt.engines.tabular.xlsx.references import letters
from usermgmt.engines.tabular.xlsx.strings import escape
from usermgmt.engines.tabular.xlsx.xml import MAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELL = 32_767
"""Characters of a cell (Excel's specifications); UTF-16 units, as all of its counts."""
_LARGEST = (1 << 31) - (1 << 24)
"""Bytes of a part that every reader of zip archives takes."""
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_SHEET = "xl/worksheets/sheet1.xml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/{_SHEET}" ContentType="{_TYPE}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN[0]}" xmlns:r="{_OFFICE}">'
    '<sheets><sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    # style 1 is text (format 49), style 2 the same in bold
    "xl/styles.xml": f'<styleSheet xmlns="{MAIN[0]}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


class WorkbookWriter(Writer):
    """Writes rows into the one sheet, called ``sheet``; an empty cell is none.

    Raises CellTooLong, SheetFull and DiskFull.
    """

    def __init__(self, columns: Sequence[str], stream: BinaryIO, sheet: str) -> None:
        super().__init__(columns, stream)
        self._size = 0
        self._letters = [letters(number) for number in range(len(columns))]
        self._archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3)
        with noticing_full_disk():
            for name, text in _PARTS.items():
                self._archive.writestr(_info(name), _HEAD + text.replace("{sheet}", _xml(sheet)), compresslevel=3)
            self._sheet: IO[bytes] = self._archive.open(_info(_SHEET), "w")
        self._put(
            f'{_HEAD}<worksheet xmlns="{MAIN[0]}"><sheetViews><sheetView workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
            f'<cols><col min="1" max="{len(columns)}" width="20" style="1" customWidth="1"/></cols><sheetData>'
            + self._row(1, self.columns, style=2)
        )

    def _batch(self, rows: list[Sequence[object]]) -> bytes:
        if self.count + len(rows) > ROWS_OF_SHEET:
            raise SheetFull(limit=ROWS_OF_SHEET)
        first = self.count + 2
        self._put("".join([self._row(first + n, row, style=1) for n, row in enumerate(rows)]))
        return b""

    def _put(self, text: str) -> None:
        data = text.encode()
        self._size += len(data)
        if self._size > _LARGEST:
            raise SheetFull(limit=self.count)
        with noticing_full_disk():
            self._sheet.write(data)

    def _row(self, line: int, values: Sequence[object], style: int) -> str:
        cells = [
            f'<c r="{name}{line}" s="{style}" t="inlineStr"><is>{self._text(value, name, line)}</is></c>'
            for name, value in zip(self._letters, values, strict=True)
            if value is not None and value != ""
        ]
        return f'<row r="{line}">{"".join(cells)}</row>'

    def _text(self, value: object, column: str, line: int) -> str:
        text = cell_text(value)
        if len(text) > _CELL // 2 and len(text.encode("utf-16-le", "surrogatepass")) > 2 * _CELL:
            raise CellTooLong(cell=f"{column}{line}", limit=_CELL)
        if text.isprintable() and "_x" not in text and text[0] != " " != text[-1]:
            return f"<t>{_xml(text)}</t>"
        return f'<t xml:space="preserve">{_xml(escape(text))}</t>'

    def _end(self) -> bytes:
        self._put("</sheetData></worksheet>")
        with noticing_full_disk():
            self._sheet.close()
            self._archive.close()
        return b""

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            # the archive's own end is not written, so that what was broken off does not look whole
            with suppress(OSError):
                self._sheet.close()
            self._archive.fp = None
        super().__exit__(kind, *rest)


def _info(name: str) -> zipfile.ZipInfo:
    # no time of its own: the same records are the same bytes
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
