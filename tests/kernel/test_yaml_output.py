"""YAML output: every string quoted, so that no reader takes it for something else."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel.yaml import mapping, sequence


def test_the_shape():
    item = {
        "id": 1,
        "name": "no",
        "none": None,
        "yes": True,
        "tags": ["a", "2026-01-01"],
        "empty": [],
        "ids": {"ldap": "4711", "on": "1", "A b": "x"},
        "nothing": {},
        "notes": [{"at": "t", "lines": ["x", "y"]}, {"at": "u"}],
        "changes": {"email": [None, "a"], "tags": [["a"], []]},
    }
    assert "\n".join(mapping(item)) == (
        'id: 1\nname: "no"\nnone: null\n"yes": true\ntags:\n- "a"\n- "2026-01-01"\nempty: []\n'
        'ids:\n  ldap: "4711"\n  "on": "1"\n  "A b": "x"\nnothing: {}\n'
        'notes:\n- at: "t"\n  lines:\n  - "x"\n  - "y"\n- at: "u"\n'
        'changes:\n  email:\n  - null\n  - "a"\n  tags:\n  - - "a"\n  - []'
    )


def test_a_list_of_objects():
    assert list(sequence([])) == ["[]"]
    assert list(sequence([{"id": 1, "tags": ["x"]}, {"id": 2, "tags": []}, {}])) == [
        "- id: 1",
        "  tags:",
        '  - "x"',
        "- id: 2",
        "  tags: []",
        "- {}",
    ]


def test_what_yaml_cannot_print_is_escaped_as_yaml_does():
    made = "".join(mapping({"text": '\x1b\x00\x7f\x85\u2028\ufeff\ufffe\U000e0041😀张"\\/\n'}))
    assert made == ('text: "\\u001b\\u0000\\u007f\\u0085\\u2028\\ufeff\\ufffe\\U000e0041😀张\\"\\\\/\\n"')


# what a reader takes for something else, or for syntax, where it is not quoted
TREACHEROUS = ["no", "1e3", "2026-01-01", "null", "007", "0x1f", "12:30:45", "~", "", " ", "- x", "a: b", "# c", "x #y"]
TREACHEROUS += [
    "|",
    "> z",
    "!!int 3",
    "&a",
    "*a",
    "<<",
    "=",
    ".inf",
    "a\nb: c\n- d",
    "\t",
    "'",
    '"',
    "{",
    "%",
    "\ufeff",
]


@pytest.mark.parametrize("text", TREACHEROUS)
def test_another_reader_takes_texts_for_texts(text):
    nested = {"a": text, text: [text, {text: None}], "b": {"c": [[text]]}}
    assert yaml.safe_load("\n".join(mapping(nested))) == nested
    assert yaml.safe_load("\n".join(sequence([nested, {}]))) == [nested, {}]


@pytest.mark.parametrize("value", [1e16, 1e-7, 1.5e300, 1000.0, -0.5, 2**63, {}])
def test_another_reader_takes_numbers_and_nothing_for_what_they_are(value):
    assert yaml.safe_load("\n".join(mapping({"v": value}))) == {"v": value}
    assert yaml.safe_load("\n".join(mapping({}))) == {}


READS = ["user list", "user show no", "user history no", "audit list", "audit show 2", "audit verify", "store info"]
READS += ["config show", "config get time.zone", "version", "user ensure no"]


@pytest.mark.engines("sqlite")
def test_every_answer_says_in_yaml_what_it_says_in_json(run):
    run("user add no --display-name null --occupation 1e3 --full-name 007 --add-tag 0x1f --add-external-id hr/0012")
    run(["user", "set", "no", "--locale", "zh-CN", "--reason", 'two\nlines: "x"\t- #y'])
    run(["user", "note", "no", "--text", "a\nb: c\n- d\n\u202e"])
    for line in READS:
        made = yaml.safe_load(run(f"{line} -o yaml", exit=None).data)
        assert made, line
        assert made == run(f"{line} --json", exit=None).json, line


# YAML 1.2.2 section 5.1, without what we escape although it could stand there
PRINTABLE = re.compile("[\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=12,
    )
)
def test_anything_is_printable_and_in_lines(value):
    for line in mapping({"value": value}):
        assert PRINTABLE.fullmatch(line)
        assert "\n" not in line
