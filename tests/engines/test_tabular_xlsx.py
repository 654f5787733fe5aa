"""Workbooks: what their cells say, what is refused of them, and that what is written comes back."""

from __future__ import annotations

import datetime as dt
import io
import struct
import zipfile
from contextlib import suppress

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from workbooks import MAIN, cell, parts, sheet, workbook, zipped

from usermgmt.engines.tabular import errors
from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import BadRecord, Format, Limits
from usermgmt.engines.tabular.writing import writer
from usermgmt.engines.tabular.xlsx import strings, writing
from usermgmt.engines.tabular.xlsx.strings import escape, unescape
from usermgmt.kernel.errors import Exit, UsageProblem


def read(data, **options):
    with open_table(io.BytesIO(data), name="people.xlsx", **options) as table:
        return [table.columns, *table.rows()]


def fault(data, **options):
    with pytest.raises((errors.FileFault, errors.NoSuchSheet)) as caught:
        read(data, **options)
    return caught.value


def values(*cells, **more):
    """The texts of one row of cells below a header."""
    line = [f"<row><c/>{''.join(cells)}</row>"] if more.pop("shift", False) else [list(cells)]
    found = read(workbook([f"h{n}" for n in range(len(cells))], *line, **more))[1]
    return found if isinstance(found, BadRecord) else found[1]


# -- cells -------------------------------------------------------------------------------------------------------------


def test_texts_are_texts_and_numbers_have_no_spurious_point():
    assert values(
        cell("007"), "<c><v>3</v></c>", "<c><v>3.0</v></c>", "<c><v>0.10000000000000001</v></c>", "<c><v>1E3</v></c>",
        "<c><v>-2.50</v></c>", cell("110101199003071234"), "<c><v>999999999999999</v></c>", "<c><v>1e-7</v></c>",
    ) == ["007", "3", "3", "0.1", "1000", "-2.5", "110101199003071234", "999999999999999", "1e-07"]  # fmt: skip


def test_booleans_formulas_shared_and_rich_texts():
    table = "<si><t>shared</t></si><si><r><t>ri</t></r><r><t xml:space='preserve'>ch </t></r><rPh><t>no</t></rPh></si>"
    assert values(
        '<c t="b"><v>1</v></c>', '<c t="b"><v>0</v></c>', '<c t="s"><v>0</v></c>', '<c t="s"><v>1</v></c>',
        '<c t="str"><f>A1</f><v>made</v></c>', "<c><f>1+1</f><v>2</v></c>", '<c t="str"><f>A9</f><v></v></c>',
        '<c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c>',
        strings=table,
    ) == ["true", "false", "shared", "rich ", "made", "2", "", "ab"]  # fmt: skip


STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/>'
    '<numFmt numFmtId="165" formatCode="[h]:mm"/><numFmt numFmtId="166" formatCode="[Red]0.00\\d;&quot;day&quot;"/>'
    '<numFmt numFmtId="167" formatCode="[$-804]General"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
    "<cellXfs>" + "".join(f'<xf numFmtId="{n}"/>' for n in (0, 14, 22, 164, 165, 166, 167, 57, 21)) + "</cellXfs>"
)


@pytest.mark.parametrize(
    ("style", "value", "text"),
    [
        (1, "46024", "2026-01-02"),
        (1, "61", "1900-03-01"),
        (1, "59", "1900-02-28"),
        (1, "1", "1900-01-01"),
        (1, "2958465", "9999-12-31"),
        (2, "46024.5", "2026-01-02T12:00:00"),
        (2, "46024.12777777778", "2026-01-02T03:04:00"),
        (2, "46024.99999999999", "2026-01-03"),
        (3, "33010", "1990-05-17"),
        (4, "1.5", "36:00:00"),
        (5, "46024", "46024"),
        (6, "46024", "46024"),
        (7, "33010", "1990-05-17"),
        (8, "0.25", "06:00:00"),
        (0, "33010", "33010"),
        (99, "33010", "33010"),
    ],
)
def test_dates_are_iso_where_the_format_shows_one(style, value, text):
    assert values(f'<c s="{style}"><v>{value}</v></c>', styles=STYLES) == [text]


def test_dates_counted_from_1904_and_dates_of_strict_workbooks():
    assert values('<c s="1"><v>0.5</v></c>', styles=STYLES, properties='<workbookPr date1904="1"/>') == [
        "1904-01-01T12:00:00"
    ]
    assert values('<c s="1"><v>31548</v></c>', styles=STYLES, properties='<workbookPr date1904="1"/>') == ["1990-05-17"]
    assert values('<c t="d"><v>1990-05-17T00:00:00</v></c>', '<c t="d"><v>1990-05-17T01:02:03</v></c>') == [
        "1990-05-17",
        "1990-05-17T01:02:03",
    ]


@pytest.mark.parametrize(
    ("xml", "kind", "says"),
    [
        ('<c t="e"><v>#DIV/0!</v></c>', errors.ErrorCell, "The cell B2 holds the error #DIV/0!."),
        ("<c><f>1+1</f></c>", errors.UncalculatedCell, "The cell B2 holds a formula"),
        ("<c><v>110101199003071234</v></c>", errors.RoundedNumber, "The cell B2 holds a number of more than 15"),
        ("<c><v>1.1010119900307101E+17</v></c>", errors.RoundedNumber, "B2"),
        ("<c><v>abc</v></c>", errors.BadCell, "The cell B2 cannot be read: it is not a number."),
        ("<c><v>inf</v></c>", errors.BadCell, "B2"),
        ("<c><v>nan</v></c>", errors.BadCell, "B2"),
        ('<c t="s"><v>7</v></c>', errors.BadCell, "there is no such text"),
        ('<c t="s"><v>-1</v></c>', errors.BadCell, "there is no such text"),
        ('<c s="1"><v>60</v></c>', errors.BadCell, "it is not a date"),
        ('<c s="1"><v>-1</v></c>', errors.BadCell, "it is not a date"),
        ('<c s="1"><v>1e300</v></c>', errors.BadCell, "it is not a date"),
        (cell("_xD800_"), errors.HalfSurrogate, "half"),
        (cell("x" * 101), errors.FieldTooLong, "h1"),
        ("<c/>" + cell("x"), errors.RaggedRow, "3"),
    ],
)  # fmt: skip
def test_a_cell_that_says_nothing_sure_refuses_its_record(xml, kind, says):
    data = workbook(
        ["h0", "h1"], f"<row>{cell('a')}{xml}</row>", ["b", "c"], styles=STYLES, strings="<si><t>x</t></si>"
    )
    _header, bad, good = read(data, limits=Limits(field=100))
    assert (type(bad.error), bad.line, good) == (kind, 2, (3, ["b", "c"]))
    assert says in bad.error.message
    assert bad.cells[0] == "a"


def test_empty_rows_are_skipped_and_lines_are_those_of_the_sheet():
    data = workbook('<row r="3"><c r="B3"/></row>', '<row r="5">' + cell("a") + cell("b") + "</row>", "<row/>",
                    '<row r="9"><c r="B9" t="inlineStr"><is><t>x</t></is></c></row>', '<row r="1048576"/>')  # fmt: skip
    assert read(data) == [["a", "b"], (9, ["", "x"])]


def test_escapes_of_characters_and_pairs():
    assert values(cell("a_x000D_b"), cell("_x005F_x000D_"), cell("_xD83D__xDE00_"), cell("_x00"), cell("a&#10;b")) == [
        "a\rb", "_x000D_", "😀", "_x00", "a\nb",
    ]  # fmt: skip


# -- sheets ------------------------------------------------------------------------------------------------------------


def test_the_first_sheet_that_is_seen_or_the_one_that_is_named():
    data = zipped(parts(sheet(["a"], ["1"]), more=[sheet(["b"], ["2"]), sheet()], states=[' state="hidden"']))
    assert read(data)[0] == ["b"]
    assert read(data, sheet="s1")[0] == ["a"]
    found = fault(data, sheet="Users")
    assert (type(found), found.exit, found.advice) == (errors.NoSuchSheet, Exit.NOT_FOUND, "sheets: S1, S2, S3")
    assert type(fault(data, sheet="S3")) is errors.EmptySheet


def test_strict_workbooks_and_prefixed_names():
    strict = "http://purl.oclc.org/ooxml/spreadsheetml/main"
    assert read(zipped(parts(sheet(["a"], ["1"], main=strict), main=strict))) == [["a"], (2, ["1"])]
    row = '<x:row><x:c t="str"><x:v>a</x:v></x:c></x:row>'
    prefixed = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{row}</x:sheetData></x:worksheet>'
    assert read(zipped(parts(prefixed)))[0] == ["a"]
    assert read(zipped(parts(prefixed.encode("utf-16"))))[0] == ["a"]


def test_a_workbook_is_known_by_its_content_also_in_a_pipe():
    data = workbook(["a"], ["1"])
    with open_table(io.BytesIO(data), name="people.csv") as table:
        assert (table.format, next(iter(table)).values) == (Format.XLSX, {"a": "1"})
    pipe = io.BytesIO(data)
    pipe.seekable = lambda: False
    with open_table(pipe, name="-") as table:
        assert list(table.rows()) == [(2, ["1"])]


@pytest.mark.parametrize("options", [{"encoding": "utf-8"}, {"delimiter": ","}])
def test_options_of_texts_contradict_a_workbook(options):
    with pytest.raises(UsageProblem):
        read(workbook(["a"]), format=Format.XLSX, **options)
    with pytest.raises(UsageProblem):
        read(b"a\n1\n", sheet="S1")


# -- what is refused whole ---------------------------------------------------------------------------------------------


def ole(name):
    """The opening of an OLE file whose directory, in the second sector, holds ``name``."""
    head = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    head[30:32], head[48:52] = struct.pack("<H", 9), struct.pack("<I", 0)
    return bytes(head) + name.encode("utf-16-le").ljust(512, b"\0")


PLAIN = workbook(["a"], ["1"])


def flagged(data):
    """The archive with its parts marked as encrypted."""
    made = bytearray(data)
    at = made.find(b"PK\x01\x02")
    while at >= 0:
        made[at + 8] |= 1
        at = made.find(b"PK\x01\x02", at + 1)
    return bytes(made)


BINARY = '<a><Relationship Type="x/officeDocument" Target="xl/workbook.bin"/></a>'


def doubled():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.xml", "x")
        archive.writestr("A.XML", "x")
    return out.getvalue()


def declaring(data, size):
    """The archive, whose sheet is said to unpack to ``size`` bytes."""
    made = bytearray(data)
    at = made.rfind(b"sheet1.xml")
    start = made.rfind(b"PK\x01\x02", 0, at)
    made[start + 24 : start + 28] = struct.pack("<I", size)
    return bytes(made)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (ole("Workbook"), errors.NoWorkbook),
        (ole("EncryptedPackage"), errors.EncryptedWorkbook),
        (ole("")[:40], errors.NoWorkbook),
        (flagged(PLAIN), errors.EncryptedWorkbook),
        (zipped({"a.txt": "x"}), errors.NoWorkbook),
        (zipped({"inner.xlsx": PLAIN}), errors.NoWorkbook),
        (zipped(parts(sheet()) | {"_rels/.rels": BINARY}), errors.NoWorkbook),
        (workbook(), errors.EmptySheet),
        (zipped(parts(sheet()) | {"xl/workbook.xml": f'<workbook xmlns="{MAIN}"/>'}), errors.NoSheet),
        (zipped({name: xml for name, xml in parts(sheet()).items() if "sheet1" not in name}), errors.BrokenWorkbook),
        (zipped({f"{n}.xml": "" for n in range(20_000)}), errors.WorkbookBomb),
        (doubled(), errors.BrokenWorkbook),
        (zipped(parts(sheet(["a"])), zipfile.ZIP_LZMA), errors.BrokenWorkbook),
        (declaring(PLAIN, 1 << 29), errors.WorkbookBomb),
        (declaring(PLAIN, 10), errors.BrokenWorkbook),
        (zipped(parts(sheet('<row r="2"/>', '<row r="1"/>'))), errors.BrokenWorkbook),
        (workbook('<row r="1048577"/>'), errors.BrokenWorkbook),
        (workbook('<row r="x"/>'), errors.BrokenWorkbook),
        (workbook('<row><c r="B1" t="str"><v>x</v></c><c r="A1" t="str"><v>x</v></c></row>'), errors.BrokenWorkbook),
        (workbook('<row><c r="ZZZ1" t="str"><v>x</v></c></row>'), errors.BrokenWorkbook),
        (workbook('<row><c r="1" t="str"><v>x</v></c></row>'), errors.BrokenWorkbook),
        (workbook(["a", '<c t="e"><v>#N/A</v></c>']), errors.BadHeader),
        (workbook(["a", "A"]), errors.DuplicateColumn),
        (workbook([cell("a"), "<c/>", cell("b")]), errors.NamelessColumn),
        (workbook("<row>"), errors.BrokenWorkbook),
        (workbook("<a>" * 1000), errors.BrokenWorkbook),
        (workbook("<v>" * 1000), errors.BrokenWorkbook),
        (workbook(f'<row r="1" x="{"y" * (1 << 21)}"/>'), errors.BrokenWorkbook),
        (workbook("".join(f"<n{n}/>" for n in range(30_000))), errors.BrokenWorkbook),
        (workbook("".join(f'<n xmlns:n{n}="x"/>' for n in range(30_000))), errors.BrokenWorkbook),
        (zipped(parts('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')), errors.BrokenWorkbook),
        (zipped(parts(sheet(["a"]), strings="<si>")), errors.BrokenWorkbook),
    ],
)  # fmt: skip
def test_no_sound_workbook_is_refused_in_one_line(data, kind):
    found = fault(data, format=None if data[:2] == b"PK" or len(data) > 100 else Format.XLSX)
    assert type(found) is kind
    assert "\n" not in found.message
    assert found.advice or kind in (errors.NoSheet, errors.BadHeader, errors.DuplicateColumn, errors.NamelessColumn)


@pytest.mark.parametrize("length", range(1, len(PLAIN), 97))
def test_a_workbook_that_was_cut_off_is_refused(length):
    assert type(fault(PLAIN[:length], format=Format.XLSX)) in (errors.BrokenWorkbook, errors.NoWorkbook)


def test_each_byte_that_is_changed_gives_the_rows_or_a_refusal():
    for at in range(0, len(PLAIN), 3):
        data = bytearray(PLAIN)
        data[at] ^= 0x55
        with suppress(errors.FileFault):
            assert read(bytes(data), format=Format.XLSX) == [["a"], (2, ["1"])], at


def test_what_is_no_zip_archive_at_all():
    assert type(fault(b"a,b\n", format=Format.XLSX)) is errors.NoWorkbook


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        ({"file": 1000}, errors.FileTooLarge),
        ({"rows": 2}, errors.TooManyRows),
        ({"row": 50}, errors.RowTooLong),
    ],
)
def test_limits_count_what_is_unpacked(limits, kind):
    data = workbook(["a", "b"], *[["x" * 20, "y" * n] for n in (10, 20, 31)])
    assert type(fault(data, limits=Limits(**limits))) is kind


def test_texts_beyond_memory_lie_in_a_file(monkeypatch):
    monkeypatch.setattr(strings, "_IN_MEMORY", 100)
    table = "".join(f"<si><t>text 张{n}</t></si>" for n in range(50))
    rows = [[f'<c t="s"><v>{n}</v></c>'] for n in range(49, -1, -1)]
    found = read(workbook(*rows, strings=table))
    assert [row[1][0] for row in found[1:]] == [f"text 张{n}" for n in range(48, -1, -1)]
    monkeypatch.setattr(strings, "_MOST", 20)
    assert type(fault(workbook(*rows, strings=table))) is errors.BrokenWorkbook


# -- peers -------------------------------------------------------------------------------------------------------------


def by_peer(write, **options):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, **options}
    )
    write(book, book.add_worksheet("人员"))
    book.close()
    return out.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"constant_memory": True, "in_memory": False}, {"default_date_format": "d.m.yy"}]
)
def test_what_another_program_writes_is_read(options):
    def write(book, page):
        page.write_row(0, 0, ["姓名", "出生", "数", "是", "链接", "长"])
        page.write_string(1, 0, " 张\x0b_x000B_\r\n伟 ")
        page.write_datetime(1, 1, dt.date(1990, 5, 17), book.add_format({"num_format": "yyyy/m/d"}))
        page.write_number(1, 2, 12.5)
        page.write_boolean(1, 3, True)
        page.write_url(1, 4, "https://example.com/")
        page.write_string(1, 5, "110101199003071234")
        page.merge_range(2, 0, 2, 1, "两格", book.add_format({"bold": True}))

    assert read(by_peer(write, **options), sheet="人员")[1:] == [
        (2, [" 张\x0b_x000B_\r\n伟 ", "1990-05-17", "12.5", "true", "https://example.com/", "110101199003071234"]),
        (3, ["两格", "", "", "", "", ""]),
    ]


def written(rows, columns=("a", "b"), sheet="users"):
    out = io.BytesIO()
    with writer(Format.XLSX, columns, out, sheet=sheet) as made:
        made.write_rows(rows)
    return out.getvalue()


# the peer drops what is no character of XML, and joins the halves of a pair that we never write
STORED = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(STORED, STORED.filter(bool)), max_size=5))
def test_what_is_written_comes_back_and_another_program_reads_the_same(rows):
    data = written(rows)
    assert read(data)[1:] == [(n, list(row)) for n, row in enumerate(rows, 2)]
    pages = CalamineWorkbook.from_filelike(io.BytesIO(data))
    assert pages.sheet_names == ["users"]
    assert pages.get_sheet_by_index(0).to_python()[1:] == [list(row) for row in rows]


TRAPS = ["=1+1", "+1", "-1", "@x", "'=x", "https://x.y", "<r><t>x</t></r>", "</t></is></c>", "&amp;", "_x0041_x0042_",
         "_x005F_", "__x0041_", "_x_x0041_", "\x00", "\r", "\n", "\t x", " ", "\ufffe", "\uffff", "\u2028", "]]>",
         "0012", "1e5", "true", "2026-01-01", "😀", "\x85", "\ufeff"]  # fmt: skip


def test_texts_that_spreadsheets_take_for_something_else_stay_texts():
    data = written([(text, text + "z") for text in TRAPS])
    assert [row[1] for row in read(data)[1:]] == [[text, text + "z"] for text in TRAPS]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
        assert archive.namelist() == [*writing._PARTS, "xl/worksheets/sheet1.xml"]
    assert xml.count("<c ") == xml.count('t="inlineStr"') == xml.count("<is><t") == 2 * len(TRAPS) + 2
    assert "<f>" not in xml
    assert "hyperlink" not in xml
    assert 'state="frozen"' in xml


@given(st.text(st.characters()))
def test_escapes_are_reversible_whatever_the_text(text):
    assert unescape(escape(text)) == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def test_a_sheet_has_an_end_and_so_has_a_cell(monkeypatch):
    monkeypatch.setattr(writing, "ROWS_OF_SHEET", 3)
    assert len(read(written([("a", "b")] * 3))) == 4
    with pytest.raises(errors.SheetFull):
        written([("a", "b")] * 4)
    for long in ("x" * 32_767, "😀" * 16_383):
        assert read(written([(long, "")]))[1][1][0] == long
        with pytest.raises(errors.CellTooLong, match="B2"):
            written([("", long + "xx")])
    monkeypatch.setattr(writing, "_LARGEST", 600)
    with pytest.raises(errors.SheetFull):
        written([("a", "b")] * 3)


def test_the_same_records_are_the_same_bytes():
    assert written([("a", None), ("", "b")]) == written([("a", None), ("", "b")])


def test_many_columns_are_named_as_spreadsheets_do():
    columns = [f"c{n}" for n in range(703)]
    data = written([columns], columns)
    assert read(data)[1] == (2, columns)
    assert CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()[1] == columns
