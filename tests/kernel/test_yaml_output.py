"""YAML output: every string quoted, so that no reader takes it for something else."""

from __future__ import annotations

import re

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
