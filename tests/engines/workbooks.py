"""Workbooks made by hand, part by part, so that each can have what no spreadsheet would write."""

from __future__ import annotations

import io
import zipfile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def relations(*pairs):
    links = "".join(
        f'<Relationship Id="r{n}" Type="{OFFICE}/{kind}" Target="{to}"/>' for n, (kind, to) in enumerate(pairs)
    )
    return f'<Relationships xmlns="{RELATIONS}">{links}</Relationships>'


def sheet(*rows, main=MAIN):
    """A sheet whose rows are given as XML, or as cells in a list."""
    made = []
    for row in rows:
        cells = row if isinstance(row, str) else f"<row>{''.join(map(cell, row))}</row>"
        made.append(cells)
    return f'<worksheet xmlns="{main}"><sheetData>{"".join(made)}</sheetData></worksheet>'


def cell(value):
    return value if value.startswith("<") else f'<c t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def parts(first, *, strings=None, styles=None, more=(), states=(), properties="", main=MAIN):
    """The parts of a workbook: its first sheet is S1, ``more`` are the others."""
    sheets = [first, *more]
    states = [*states, *[""] * len(sheets)]
    named = "".join(f'<sheet name="S{n + 1}" sheetId="{n + 1}" r:id="r{n}"{states[n]}/>' for n in range(len(sheets)))
    links = [("worksheet", f"worksheets/sheet{n + 1}.xml") for n in range(len(sheets))]
    made = {"_rels/.rels": relations(("officeDocument", "xl/workbook.xml"))}
    if strings is not None:
        links.append(("sharedStrings", "sharedStrings.xml"))
        made["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{strings}</sst>'
    if styles is not None:
        links.append(("styles", "styles.xml"))
        made["xl/styles.xml"] = f'<styleSheet xmlns="{main}">{styles}</styleSheet>'
    made["xl/workbook.xml"] = (
        f'<workbook xmlns="{main}" xmlns:r="{OFFICE}">{properties}<sheets>{named}</sheets></workbook>'
    )
    made["xl/_rels/workbook.xml.rels"] = relations(*links)
    return made | {f"xl/worksheets/sheet{n + 1}.xml": xml for n, xml in enumerate(sheets)}


def zipped(made, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in made.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook(*rows, **more):
    return zipped(parts(sheet(*rows), **more))
