"""JSON and NDJSON: the grammar to the letter, records one by one, and every refusal with its line."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.engines.tabular import errors, source
from usermgmt.engines.tabular.jsonfiles import parse_value
from usermgmt.engines.tabular.reading import open_table
from usermgmt.engines.tabular.types import BadRecord, Format, Limits, Record
from usermgmt.kernel.errors import Exit

CORPUS = os.environ.get("USERMGMT_CORPUS", "")
SUITE = sorted(Path(CORPUS, "json-suite").glob("*.json")) if CORPUS else []


def table(data: bytes, name: str = "people.json", **options):
    return open_table(io.BytesIO(data), name=name, **options)


def records(data: bytes, **options):
    return list(table(data, **options).records())


def fault(data: bytes, **options) -> errors.FileFault:
    with pytest.raises(errors.FileFault) as caught:
        records(data, **options)
    assert caught.value.exit == Exit.INVALID
    assert caught.value.message
    return caught.value


def test_an_array_yields_its_objects_with_their_lines():
    data = b"""[
  {"name": "alice",
   "age": 30},

  {"name": "bob"}, {"name": "carol", "tags": ["a", {"b": null}]}
]
"""
    assert records(data) == [
        Record(2, {"name": "alice", "age": 30}),
        Record(5, {"name": "bob"}),
        Record(5, {"name": "carol", "tags": ["a", {"b": None}]}),
    ]


def test_an_object_is_one_record():
    assert records(b'\xef\xbb\xbf\n{\n"a": 1.5\n}\n', format=Format.JSON) == [Record(2, {"a": 1.5})]


@pytest.mark.parametrize("data", [b"[]", b" [ \n ] "])
def test_an_empty_array_has_no_records(data):
    found = table(data)
    assert found.columns is None
    assert list(found) == []


def test_lines_are_objects_and_blank_ones_are_skipped():
    data = b'{"a":1}\r\n\n  {"a":2}  \n{"a":3}'
    assert records(data, name="x.ndjson") == [Record(1, {"a": 1}), Record(3, {"a": 2}), Record(4, {"a": 3})]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"a":1', errors.BrokenLine),
        (b"{'a':1}", errors.BrokenLine),
        (b'{"a":1} {"a":2}', errors.BrokenLine),
        (b'{"a":NaN}', errors.BrokenLine),
        (b'{"a":-Infinity}', errors.BrokenLine),
        (b'{"a":01}', errors.BrokenLine),
        (b'{"a":"\t"}', errors.BrokenLine),
        (b"name,email", errors.BrokenLine),
        (b'{"a":1,"a":1}', errors.DuplicateKey),
        (b'{"a":1,"\\u0061":2}', errors.DuplicateKey),
        (b'{"b":[{"a":1,"c":0,"a":2}]}', errors.DuplicateKey),
        (b'{"a":"\\ud800"}', errors.HalfSurrogate),
        (b'{"a":{"b":["\\udfff\\ud83d"]}}', errors.HalfSurrogate),
        (b'{"\\uDC00":1}', errors.HalfSurrogate),
        (b'{"a":1e400}', errors.HugeNumber),
        (b'{"a":[-1e999]}', errors.HugeNumber),
        (b'{"a":' + b"9" * 5000 + b"}", errors.HugeNumber),
        (b"null", errors.NotAnObject),
        (b'"text"', errors.NotAnObject),
        (b"12", errors.NotAnObject),
        (b'{"a":' * 65 + b"1" + b"}" * 65, errors.TooDeep),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", errors.TooDeep),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, errors.TooDeep),
        (b'{"long":"' + b"x" * 65537 + b'"}', errors.FieldTooLong),
        (b'{"long":["' + b"x" * 65537 + b'"]}', errors.FieldTooLong),
        (b'{"' + b"x" * 65537 + b'":1}', errors.FieldTooLong),
    ],
)
def test_a_bad_line_or_element_is_refused_and_the_rest_is_read(line, error):
    before, bad, after = records(b'{"n":1}\n' + line + b'\n{"n":2}\n', name="x.ndjson")
    assert (before.values, after.values) == ({"n": 1}, {"n": 2})
    assert isinstance(bad, BadRecord)
    assert (bad.line, type(bad.error), bad.error.exit) == (2, error, Exit.INVALID)
    assert bad.error.message
    array = b'[{"n":1},\n' + line + b'\n,{"n":2}]'
    if error is errors.BrokenLine:
        assert isinstance(fault(array), errors.BrokenJson)
    elif len(line) < 100_000:
        assert [type(item) for item in records(array)] == [Record, BadRecord, Record]
        assert type(records(array)[1].error) is error
    else:
        assert type(fault(array)) is errors.BottomlessJson


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":' * 64 + b"1" + b"}" * 64,
        b'{"a":' + b"[" * 63 + b"]" * 63 + b"}",
        b'{"a":"\\ud83d\\ude00 \\\\ud800"}',
        b'{"a":"' + b"[{" * 1000 + b'"}',
        b'{"a":"' + b"x" * 65536 + b'"}',
    ],
)
def test_what_only_looks_excessive_is_read(line):
    for data, form in ((line, Format.NDJSON), (b"[" + line + b"]", Format.JSON)):
        assert records(data, format=form) == [Record(1, json.loads(line))]


def test_integers_stay_exact():
    number = 123456789012345678901234567890
    assert records(b'[{"a":%d,"b":-0,"c":18446744073709551616}]' % number)[0].values == {
        "a": number,
        "b": 0,
        "c": 2**64,
    }


@pytest.mark.parametrize(
    ("data", "error", "line"),
    [
        (b'[\n{"a":1}\n{"a":2}]', errors.BrokenJson, 3),
        (b'[\n{"a":1},\n{"a"\n\n 2}]', errors.BrokenJson, 5),
        (b'[{"a":1},]', errors.BrokenJson, 1),
        (b'[{"a":1}]\n\n x', errors.BrokenJson, 3),
        (b'[{"a":1}] []', errors.BrokenJson, 1),
        (b'[{"a":1}}', errors.BrokenJson, 1),
        (b"[1 true]", errors.BrokenJson, 1),
        (b"[{},\n\nnope]", errors.BrokenJson, 3),
        (b"name,email\n", errors.BrokenJson, 1),
        (b'{"a":1}\n\n{"a":2}', errors.BrokenJson, 3),
        (b"[\n\n", errors.TruncatedJson, 3),
        (b'[\n{"a":1}\n', errors.TruncatedJson, 3),
        (b'[\n{"a":1},\n', errors.TruncatedJson, 3),
        (b'[\n{"a":1},\n{"a', errors.TruncatedJson, 3),
        (b'[\n{"a":1},\n{"a"\n:\n', errors.TruncatedJson, 5),
        (b'{"a":\n', errors.TruncatedJson, 2),
        (b"[" * 100_000, errors.BottomlessJson, 1),
        (b'[\n{},\n{"a":' + b"[" * 100_000, errors.BottomlessJson, 3),
    ],
)
def test_a_broken_file_is_refused_with_the_line(data, error, line):
    found = fault(data, format=Format.JSON)
    assert (type(found), found.facts["line"], found.code) == (error, line, "file.malformed")


@pytest.mark.parametrize("data", [b"1", b'"x"', b"null", b" -1.5e3 \n"])
def test_json_without_records_is_told_from_what_is_no_json(data):
    assert type(fault(data)) is errors.NoRecords
    assert type(fault(data + b"x")) is errors.BrokenJson


def test_an_array_is_not_taken_for_lines():
    assert type(fault(b' [{"a":1}]', format=Format.NDJSON)) is errors.ArrayNotLines


def test_limits_hold():
    data = b'[{"a":"' + b"x" * 50 + b'"},\n{"a":"' + b"x" * 100 + b'"}]'
    for form in (Format.JSON, Format.NDJSON):
        text = data if form is Format.JSON else data[1:-1].replace(b"},", b"}")
        found = fault(text, format=form, limits=Limits(row=100))
        assert (type(found), found.facts["line"]) == (errors.RowTooLong, 2)
        assert type(fault(text, format=form, limits=Limits(rows=1))) is errors.TooManyRows
    assert type(fault(b"[" + b"1" * 300_000 + b"]", limits=Limits(row=1000))) is errors.RowTooLong
    assert type(fault(b'["' + b"1" * 300_000, limits=Limits(row=1000))) is errors.RowTooLong


def test_white_space_has_no_limit():
    gap = b" \n" * 300_000
    found = records(b"[" + gap + b'{"a":1}' + gap + b"," + gap + b'{"a":2}' + gap + b"]" + gap)
    assert [item.line for item in found] == [300_001, 900_001]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON_VALUES, max_size=4), max_size=5)


@given(RECORDS, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 9))
def test_a_file_cut_into_any_pieces_is_read_the_same(wanted, ascii_only, indent, size):
    data = json.dumps(wanted, ensure_ascii=ascii_only, indent=indent).encode()
    usual = source.CHUNK
    source.CHUNK = size
    try:
        assert [item.values for item in table(data).records()] == wanted
    finally:
        source.CHUNK = usual


@given(st.lists(st.integers() | st.booleans() | st.none() | st.floats(0, 1), min_size=1), st.integers(1, 9))
def test_scalars_are_not_cut_in_two(wanted, size):
    usual = source.CHUNK
    source.CHUNK = size
    try:
        read = records(json.dumps(wanted).encode())
    finally:
        source.CHUNK = usual
    assert [type(item.error) for item in read] == [errors.NotAnObject] * len(wanted)


@given(RECORDS, st.data())
def test_a_file_cut_off_anywhere_is_refused(wanted, data):
    whole = json.dumps(wanted).encode()
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises((errors.TruncatedJson, errors.BrokenJson)):
        records(whole[:cut])


@given(JSON_VALUES)
def test_a_value_is_parsed_as_it_was_meant(value):
    assert parse_value(json.dumps(value).encode()) == value


@pytest.mark.parametrize("data", [b"", b" ", b"\xff", b"NaN", b"[1,]", b"1 2", b"\xc3"])
def test_what_is_no_value_is_refused(data):
    with pytest.raises(errors.BrokenJson) as caught:
        parse_value(data)
    assert caught.value.message


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="USERMGMT_CORPUS is not set")
def test_the_suite_is_there():
    kinds = [path.name[0] for path in SUITE]
    assert (kinds.count("y"), kinds.count("n"), kinds.count("i")) == (95, 188, 35)


@pytest.mark.corpus
@pytest.mark.parametrize("path", SUITE, ids=lambda path: path.stem)
def test_json_suite(path):
    data = path.read_bytes()
    outcomes = [_accepts(lambda: parse_value(data)), _accepts(lambda: records(data, format=Format.JSON))]
    if path.name.startswith("y_"):
        assert outcomes == [True, True]
    elif path.name.startswith("n_"):
        assert outcomes == [False, False]


def _accepts(read) -> bool:
    try:
        read()
    except errors.NoRecords:
        return True
    except errors.FileFault:
        return False
    return True
