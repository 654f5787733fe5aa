"""What is written comes back as it was, in every format, and harms neither a terminal nor a spreadsheet."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import Format, Record
from usermgmt.engines.tabular.writing import writer
from usermgmt.kernel.errors import DiskFull
from usermgmt.kernel.formula import TRIGGERS, guard, unguard
from usermgmt.kernel.text import _HARMLESS, json_neutral, neutral

CORPUS = os.environ.get("USERMGMT_CORPUS", "")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NASTY = st.text(alphabet="=+-@\t\r\n＝＋－＠'\",;\\u{}a \x1b\u202e\ufeff")
# what a terminal obeys, or a reader is misled by; ZWJ and ZWNJ are wanted in names
OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def written(form: Format, columns, rows, **options) -> bytes:
    stream = io.BytesIO()
    with writer(form, columns, stream, **options) as out:
        out.write_rows(rows)
    return stream.getvalue()


def read_back(form: Format, data: bytes) -> list[dict[str, object]]:
    items = list(open_table(io.BytesIO(data), name=f"x.{form}", format=form).records())
    assert all(type(item) is Record for item in items), items
    return [item.values for item in items]


def test_csv_as_it_is():
    rows = [("a,b", 'say "hi"', 1, None), ("two\nlines", "张", True, -3.5), (["x", 1], {"k": "v"}, False, -30)]
    assert written(Format.CSV, "abcd", rows).decode() == (
        'a,b,c,d\n"a,b","say ""hi""",1,\n"two\nlines",张,true,-3.5\n"[""x"",1]","{""k"":""v""}",false,-30\n'
    )


def test_tsv_as_it_is():
    rows = [("a\tb", "c:\\x", None), ("\x1b[31m", "line\nline", 5)]
    assert written(Format.TSV, "abc", rows).decode() == "a\tb\tc\na\\tb\tc:\\\\x\t\n\\u{1b}[31m\tline\\nline\t5\n"


def test_ndjson_as_it_is():
    rows = [("é\u202e", None, 1), ("", True, 2**70)]
    assert written(Format.NDJSON, "abc", rows[:1]).decode() == '{"a":"é\\u202e","b":null,"c":1}\n'
    assert read_back(Format.NDJSON, written(Format.NDJSON, "abc", rows)) == [
        {"a": "é\u202e", "b": None, "c": 1},
        {"a": "", "b": True, "c": 2**70},
    ]


def test_json_as_it_is():
    assert written(Format.JSON, "a", []) == b"[]\n"
    assert written(Format.JSON, "a", [(1,), ("x",)]) == b'[\n{"a":1},\n{"a":"x"}\n]\n'


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_batches_leave_no_seams(form, count):
    data = written(form, ("n", "s"), ((str(i), "x") for i in range(count)))
    if form is Format.NDJSON and not count:
        assert data == b""
        return
    assert read_back(form, data) == [{"n": str(i), "s": "x"} for i in range(count)]


def test_rows_are_counted_over_several_calls():
    stream = io.BytesIO()
    out = writer(Format.JSON, ("n",), stream)
    out.write_rows([(1,)])
    out.write_rows([])
    out.write_rows([(2,), (3,)])
    out.close()
    assert out.count == 3
    assert json.loads(stream.getvalue()) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_rows_are_taken_as_they_are_needed():
    taken = []
    stream = io.BytesIO()

    def rows():
        for i in range(10_000):
            taken.append(i)
            assert len(taken) <= 1000 or stream.tell()
            yield (i,)

    writer(Format.NDJSON, ("n",), stream).write_rows(rows())


def test_json_that_was_broken_off_does_not_look_whole():
    def rows():
        yield from ((i,) for i in range(1500))
        raise KeyError

    stream = io.BytesIO()
    with pytest.raises(KeyError), writer(Format.JSON, ("n",), stream) as out:
        out.write_rows(rows())
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.getvalue())


def test_a_header_can_be_left_out():
    assert written(Format.CSV, "ab", [(1, 2)], header=False) == b"1,2\n"
    assert written(Format.TSV, "ab", [(1, 2)], header=False) == b"1\t2\n"


@pytest.mark.parametrize(("code", "error"), [(errno.ENOSPC, DiskFull), (errno.EPIPE, BrokenPipeError)])
@pytest.mark.parametrize("method", ["write", "flush"])
def test_a_full_disk_is_told_from_a_closed_pipe(code, error, method):
    class Failing(io.BytesIO):
        def write(self, data):
            return self.fail() if method == "write" else super().write(data)

        def flush(self):
            return self.fail() if method == "flush" else None

        def fail(self):
            raise OSError(code, os.strerror(code))

    with pytest.raises(error):
        writer(Format.JSON, ("n",), Failing()).close()


@pytest.mark.parametrize(
    "cell", ["=1+1", "+8613800138000", "-30", "@sum", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x", "'=1", "''+1"]
)
def test_a_formula_is_guarded_in_csv_and_tsv(cell):
    for form in (Format.CSV, Format.TSV):
        data = written(form, ("a",), [(cell,)])
        first = data.decode().partition("\n")[2].lstrip('"')[0]
        assert first == "'"
        assert read_back(form, data) == [{"a": cell}]
        assert "'" + cell[:1] not in written(form, ("a",), [(cell,)], guard=False).decode() or cell[0] == "'"


@pytest.mark.parametrize("cell", ["", "'", "''", "'tis", "a=b", " =1", "张伟", "0"])
def test_other_text_is_left_alone(cell):
    assert guard(cell) == unguard(cell) == cell


@given(TEXT | NASTY)
def test_the_guard_is_reversed_exactly(text):
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in set(TRIGGERS)


@given(TEXT | NASTY)
def test_taking_a_guard_off_never_takes_more_than_one_quote(text):
    assert unguard(text) in {text, text[1:]}
    assert unguard(text) == text or text.startswith("'")


@given(
    st.sampled_from(Format),
    st.lists(st.tuples(TEXT | NASTY, TEXT | NASTY, NASTY), max_size=8),
    st.sampled_from([("a", "b", "c"), ("=a", "b'", "c d")]),
)
def test_text_comes_back_in_every_format(form, rows, columns):
    data = written(form, columns, rows)
    if data:
        assert read_back(form, data) == [dict(zip(columns, row, strict=True)) for row in rows]


@given(st.sampled_from(Format), st.lists(TEXT | NASTY, min_size=1, max_size=8))
def test_a_lone_column_comes_back_too(form, cells):
    # a row of a sheet without a cell is none
    kept = [cell for cell in cells if cell or form is not Format.XLSX]
    assert read_back(form, written(form, ("a",), [(cell,) for cell in cells])) == [{"a": cell} for cell in kept]


VALUES = (
    TEXT
    | st.text(st.characters(codec="utf-8"))
    | st.integers()
    | st.booleans()
    | st.none()
    | st.lists(TEXT, max_size=3)
)


@given(st.sampled_from([Format.JSON, Format.NDJSON]), st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=5))
def test_values_come_back_in_json(form, rows):
    assert read_back(form, written(form, ("a", "b"), rows)) == [dict(zip("ab", row, strict=True)) for row in rows]


@given(TEXT | NASTY)
def test_nothing_that_a_terminal_obeys_is_written(text):
    for form in (Format.TSV, Format.JSON, Format.NDJSON):
        assert not OBEYED.search(written(form, ("k",), [(text,), ([text],)]).decode().replace("\t", ""))
    assert not OBEYED.search(written(Format.CSV, ("k",), [(text,), ([text],)], terminal=True).decode())


def test_the_shortcuts_of_the_writers_overlook_no_character():
    for point in range(sys.maxunicode + 1):
        if 0xD800 <= point < 0xE000:
            continue
        char = chr(point)
        if json_neutral(char) != char:
            assert char.encode().translate(None, _HARMLESS), hex(point)
        if neutral(char) != char:
            assert not char.isprintable(), hex(point)


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="USERMGMT_CORPUS is not set")
@pytest.mark.parametrize("form", Format)
def test_naughty_strings_come_back_in_every_format_and_harm_nothing(form):
    naughty = json.loads((Path(CORPUS) / "naughty-strings" / "blns.json").read_text("utf-8"))
    assert len(naughty) == 515
    rows = [(str(i), text, text) for i, text in enumerate(naughty)]
    data = written(form, ("n", "text", "again"), rows)
    assert read_back(form, data) == [{"n": str(i), "text": text, "again": text} for i, text in enumerate(naughty)]
    if form not in (Format.CSV, Format.XLSX):
        assert not OBEYED.search(data.decode().replace("\t", ""))
