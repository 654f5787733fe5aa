"""Which encoding a file is in, and what is no text at all."""

from __future__ import annotations

import codecs
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.engines.tabular import errors, source
from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import Limits
from usermgmt.kernel.errors import Exit

CORPUS = os.environ.get("USERMGMT_CORPUS", "")

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
GIVEN = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉力永健世"
    "广志义兴良海山仁波宁贵福生龙元全国胜学祥才发武新利清飞彬富顺信子"
)


class Pipe(io.RawIOBase):
    """A stream that cannot be rewound and gives what it has."""

    def __init__(self, *pieces: bytes):
        self.pieces = list(pieces)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self.pieces.pop(0) if self.pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)


def table(data: bytes, **options):
    return open_table(io.BytesIO(data), name="people.csv", **options)


def fault(data: bytes, **options) -> errors.FileFault:
    with pytest.raises(errors.FileFault) as caught:
        list(table(data, **options))
    return caught.value


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf8_with_and_without_a_mark(mark):
    found = table(mark + "姓名\n张伟\n".encode())
    assert (found.encoding, found.columns) == ("utf-8", ["姓名"])
    assert list(found.rows()) == [(2, ["张伟"])]


@pytest.mark.parametrize("text", ["姓名,城市\n张伟,北京\n", "name\n朱镕基\n", "name\n𠮷\n", "name\n小明€\n"])
def test_gb18030_is_recognised(text):
    found = table(text.encode("gb18030"))
    assert found.encoding == "gb18030"
    assert [cells for _line, cells in found.rows()] == [line.split(",") for line in text.splitlines()[1:]]


def test_gb18030_with_its_mark():
    assert table("\ufeff姓名\n张伟\n".encode("gb18030")).columns == ["姓名"]


def test_rows_that_happen_to_be_utf8_do_not_decide():
    # in GB18030 these bytes are 伟, in UTF-8 a Greek letter
    data = b"name\n\xce\xb0\n" + "张伟\n李娜\n".encode("gb18030")
    found = table(data)
    assert [cells for _line, cells in found.rows()] == [["伟"], ["张伟"], ["李娜"]]


@pytest.mark.parametrize("names", [1, 2])
@pytest.mark.parametrize("length", [1, 2])
def test_nearly_every_short_file_is_recognised(names, length):
    people = [first + (GIVEN * 2)[i : i + length] for i in range(len(GIVEN)) for first in SURNAMES]
    wrong = total = 0
    for i in range(len(people) - names):
        data = "\n".join(["name", *people[i : i + names], ""]).encode("gb18030")
        if "\ufffd" in data.decode("utf-8", "replace"):
            total += 1
            try:
                wrong += table(data).encoding != "gb18030"
            except errors.Undecodable:
                wrong += 1
    assert total > 2000
    assert wrong < total / 200


def test_a_broken_utf8_file_is_not_taken_for_gb18030():
    data = "name\n张伟\n李娜\n王芳\n".encode()
    damaged = data.replace("李".encode(), b"\xe6\x9d")
    found = fault(damaged)
    assert (type(found), found.facts["line"], found.code) == (errors.Undecodable, 3, "file.malformed")
    assert found.hint


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("name", ["张伟", "李娜", "王芳", "陈静", "林"])
def test_a_truncated_utf8_file_is_not_taken_for_gb18030(cut, name):
    found = fault(f"a\n\n{name}".encode()[:-cut])
    assert (type(found), found.facts["line"]) == (errors.Undecodable, 3)


def test_damaged_cyrillic_is_not_taken_for_gb18030():
    # pairs of bytes again, and common characters in GB 2312
    data = "имя\nмама мыла раму\n".encode().replace("ы".encode(), b"\xd1\xe1")
    assert data.decode("gb18030")
    assert type(fault(data)) is errors.Undecodable


@pytest.mark.parametrize("text", ["name\nMüller\n", "name\ncafé\n", "name,x\nRené,1\nGrün,2\nBjörk,3\n"])
def test_latin1_is_not_taken_for_gb18030(text):
    assert type(fault(text.encode("latin-1"))) is errors.Undecodable
    assert next(table(text.encode("latin-1"), encoding="latin-1").rows())[1][0] in text


@pytest.mark.parametrize(
    ("name", "known"),
    [("GB2312", "gb18030"), ("gbk", "gb18030"), ("UTF8", "utf-8"), ("utf-8-sig", "utf-8"), ("Big5", "big5")],
)
def test_an_encoding_can_be_forced(name, known):
    found = table("姓名\n張偉\n".encode(known), encoding=name)
    assert (found.encoding, next(found.rows())) == (known, (2, ["張偉"]))


@pytest.mark.parametrize(
    "name",
    [
        "klingon",
        "",
        "rot13",
        "hex",
        "utf-32",
        "utf-7",
        "unicode_escape",
        "raw_unicode_escape",
        "idna",
        "punycode",
        "cp037",
        "hz",
        "a\0b",
    ],
)
def test_what_is_no_encoding_of_tables_is_a_usage_error(name):
    with pytest.raises(errors.UnknownEncoding) as caught:
        table(b"a\n", encoding=name)
    assert caught.value.exit == Exit.USAGE


def test_a_forced_encoding_that_does_not_fit_names_the_line():
    found = fault(b"name\r\nalice\r\n\xff\r\n", encoding="utf-8")
    assert (type(found), found.facts["line"], found.facts["encoding"]) == (errors.BrokenText, 3, "utf-8")
    assert type(fault(b"\xff", encoding="utf-8")) is errors.BrokenText


WIDE = [("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)]
# U+0A0D and U+0D0A, whose bytes are line ends of ASCII, and a pair of surrogates
WIDE_TEXT = "姓名,x\r\n张伟,\u0a0d\n𠮷,\u0d0a\n"


@pytest.mark.parametrize(("encoding", "mark"), WIDE)
def test_utf16_is_known_by_its_mark(encoding, mark):
    found = table(mark + WIDE_TEXT.encode(encoding))
    assert (found.encoding, found.columns) == (encoding, ["姓名", "x"])
    assert list(found.rows()) == [(2, ["张伟", "\u0a0d"]), (3, ["𠮷", "\u0d0a"])]


@pytest.mark.parametrize(("encoding", "mark"), WIDE)
@pytest.mark.parametrize("name", ["utf-16", "{}", "none"])
def test_utf16_can_be_forced(encoding, mark, name):
    marked = mark + WIDE_TEXT.encode(encoding)
    given = None if name == "none" else name.format(encoding)
    assert next(row for _line, row in table(marked, encoding=given).rows()) == ["张伟", "\u0a0d"]
    assert len(list(table(marked.removeprefix(mark), encoding=encoding).rows())) == 2


def test_utf16_of_a_pipe():
    data = codecs.BOM_UTF16_LE + WIDE_TEXT.encode("utf-16-le")
    for encoding in (None, "utf-16le"):
        pipe = io.BufferedReader(Pipe(*[data[i : i + 3] for i in range(0, len(data), 3)]))
        with open_table(pipe, name="-", encoding=encoding) as found:
            assert [line for line, _cells in found.rows()] == [2, 3]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("csv", "a,b\n1,张\n"),
        ("tsv", "a\tb\n1\t张\n"),
        ("json", '[{"a":"1","b":"张"}]'),
        ("ndjson", '{"a":"1","b":"张"}'),
    ],
)
def test_every_format_is_read_in_utf16(form, text):
    data = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    assert [one.values for one in open_table(io.BytesIO(data), name=f"x.{form}")] == [{"a": "1", "b": "张"}]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (b"x", errors.BrokenText),  # half of a unit
        (b"\x00\xd8x\x00", errors.BrokenText),  # half of a pair
        (b"\x00\xdc", errors.BrokenText),
        (b"\x00\xd8", errors.BrokenText),
        (b"\0\0", errors.NulByte),
    ],
)
def test_damaged_utf16_is_refused_with_its_line(monkeypatch, size, tail, kind):
    monkeypatch.setattr(source, "CHUNK", size)
    data = "a\r\nb\rc\n\u0a0a\n".encode("utf-16-le") + tail
    found = fault(data, encoding="utf-16-le")
    assert (type(found), found.facts["line"]) == (kind, 5)
    with pytest.raises(kind if size > 1 else errors.FileFault):
        # before its first record, as every file whose encoding is not named
        table(codecs.BOM_UTF16_LE + data)


@pytest.mark.parametrize(
    ("data", "encoding", "kind"),
    [
        (codecs.BOM_UTF16_BE + b"\0a", "utf-16-le", errors.WrongMark),
        (codecs.BOM_UTF16_LE + b"a\0", "utf-8", errors.WrongMark),
        (codecs.BOM_UTF16_LE + b"a\0", "gb18030", errors.WrongMark),
        (codecs.BOM_UTF8 + b"a\0", "utf-16", errors.WrongMark),
        (b"a\0", "utf-16", errors.UnmarkedText),
        (b"a\0", None, errors.NulByte),
        (codecs.BOM_UTF16_LE, None, errors.EmptyFile),
        ("a".encode("utf-32"), None, errors.Utf32File),
        (codecs.BOM_UTF32_BE + "a".encode("utf-32-be"), "utf-16", errors.Utf32File),
    ],
)
def test_marks_that_contradict_are_refused(data, encoding, kind):
    assert type(fault(data, encoding=encoding)) is kind


def test_the_limit_of_a_file_in_utf16_counts_its_own_bytes():
    data = codecs.BOM_UTF16_LE + ("张\n" * 50).encode("utf-16-le")
    assert len(list(table(data, limits=Limits(file=len(data))).rows())) == 49
    assert type(fault(data, limits=Limits(file=len(data) - 1))) is errors.FileTooLarge


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08\0", b"%PDF-1.7\n", b"SQLite format 3\0"])
@pytest.mark.parametrize("encoding", [None, "utf-8"])
def test_other_kinds_of_files_are_named(data, encoding):
    assert type(fault(data, encoding=encoding)) is errors.OtherFile


@pytest.mark.parametrize("data", [b"PK\x03\x04\x14\0", b"\xd0\xcf\x11\xe0\0"])
def test_what_looks_like_a_workbook_is_no_text(data):
    assert type(fault(data)) in (errors.BrokenWorkbook, errors.NoWorkbook)
    assert type(fault(data, encoding="utf-8")) is errors.OtherFile


@pytest.mark.parametrize("encoding", [None, "utf-8"])
@pytest.mark.parametrize("rows", [1, 50_000])
def test_a_nul_byte_is_refused_with_its_line(encoding, rows):
    found = fault(b"name\r\n" + b"alice\r\n" * rows + b"bo\0b\r\n", encoding=encoding)
    assert (type(found), found.facts["line"]) == (errors.NulByte, rows + 2)


def test_a_file_is_looked_at_whole_before_its_first_record():
    with pytest.raises(errors.NulByte):
        table(b"name\n" + b"alice\n" * 100_000 + b"\0")


def test_a_pipe_is_read_like_a_file():
    data = "姓名\n".encode("gb18030") + "张伟\n".encode("gb18030") * 30_000
    pieces = [data[i : i + 1000] for i in range(0, len(data), 1000)]
    with open_table(io.BufferedReader(Pipe(*pieces)), name="-") as found:
        assert (found.encoding, sum(1 for _ in found.rows())) == ("gb18030", 30_000)


def test_a_pipe_that_begins_slowly_is_guessed_from_more_than_its_first_piece():
    with open_table(io.BufferedReader(Pipe(b"\n", b'[{"a":', b"1}]")), name="-") as found:
        assert [item.values for item in found] == [{"a": 1}]


def test_nothing_is_read_behind_the_end():
    # a terminal would ask for a second end of file
    found = open_table(io.BufferedReader(Pipe(b"name", b"", b"\nalice\n")), name="-", encoding="utf-8")
    assert list(found) == []


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_lines_are_counted_across_pieces(monkeypatch, size):
    monkeypatch.setattr(source, "CHUNK", size)
    assert fault(b"a\r\nb\rc\n\r\n\xff", encoding="utf-8").facts["line"] == 5
    assert fault(b"a\r\nb\rc\n\r\n\0").facts["line"] == 5


def test_a_pipe_in_a_known_encoding_is_read_as_it_comes():
    pipe = Pipe(b"na", b"me\n", b"alice\n", b"bob\n")
    found = open_table(io.BufferedReader(pipe), name="-", encoding="utf-8").rows()
    assert next(found) == (2, ["alice"])
    assert pipe.pieces == [b"bob\n"]
    assert list(found) == [(3, ["bob"])]


def test_a_pipe_beyond_the_limit_is_refused():
    for encoding in (None, "utf-8"):
        with pytest.raises(errors.FileTooLarge):
            list(
                open_table(
                    io.BufferedReader(Pipe(*[b"a\n"] * 100)), name="-", encoding=encoding, limits=Limits(file=150)
                )
            )


def test_reading_begins_where_the_stream_stands():
    stream = io.BytesIO(b"skipped\nname\nalice\n")
    stream.readline()
    assert list(open_table(stream, name="-").rows()) == [(2, ["alice"])]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\"',\ufeff"), min_size=1), min_size=1))
def test_any_utf8_is_utf8(cells):
    data = "n\n" + "".join(f'"{cell}"\n' for cell in cells)
    found = table(data.encode())
    assert found.encoding == "utf-8"
    assert [row for _line, row in found.rows()] == [[cell] for cell in cells]


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="USERMGMT_CORPUS is not set")
def test_each_real_complaint_is_recognised_in_gb18030():
    path = Path(CORPUS) / "complaints" / "zh-labelled-200.csv"
    header, *texts = [cells for _line, cells in open_table(io.BytesIO(path.read_bytes()), name="x.csv").rows()]
    for cells in [header, *texts]:
        data = ("text\n" + max(cells, key=len).replace("\n", " ").replace('"', "")).encode("gb18030")
        assert table(data, delimiter="tab").encoding == "gb18030"
