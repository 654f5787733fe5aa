"""Cells of tsv and csv."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel.cells import csv_lines, text_of, tsv_cell_of, tsv_lines
from usermgmt.kernel.formula import unguard
from usermgmt.kernel.text import neutral

ANY = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("a", "a"),
        (0, "0"),
        (-5, "-5"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        ([], ""),
        (["a", "b"], "a;b"),
        (("a",), "a"),
        ({}, "{}"),
        ({"ldap": "4711"}, '{"ldap":"4711"}'),
        ([{"at": 1}], '[{"at":1}]'),
        ([1, 2], "[1,2]"),
        ({"k": "\x1b\x9b"}, '{"k":"\\u001b\\u009b"}'),
    ],
)
def test_a_value_is_one_text(value, text):
    assert text_of(value) == text


def test_tsv_has_one_line_per_row_whatever_is_in_it():
    made = list(tsv_lines(("a", "b"), [("x\ty", "p\nq"), ("\\t", None)]))
    assert made == ["a\tb\n", "x\\ty\tp\\nq\n", "\\\\t\t\n"]
    assert list(tsv_lines(None, [("x",)])) == ["x\n"]


@given(st.lists(st.tuples(ANY, ANY), max_size=5))
def test_tsv_cuts_into_the_cells_it_was_made_of(rows):
    for row, line in zip(rows, tsv_lines(None, rows), strict=True):
        assert line.endswith("\n")
        assert line[:-1].split("\t") == [tsv_cell_of(cell) for cell in row]
        assert len(line.splitlines()) == 1


@given(st.lists(st.tuples(ANY, ANY), max_size=5))
def test_csv_reads_back_and_runs_nowhere(rows):
    text = "".join(csv_lines(("a", "b"), rows))
    header, *cells = csv.reader(io.StringIO(text, newline=""))
    assert header == ["a", "b"]
    assert [[unguard(cell) for cell in row] for row in cells] == [[neutral(cell) for cell in row] for row in rows]
    assert not any(re.match("[=+@\t\r＝＋－＠-]", cell) for row in cells for cell in row)


def test_csv_quotes_what_it_must():
    made = list(csv_lines(("a",), [('x,"y"',), ("+86",), ("-",), ("'=x",), (["a", "b"],), ("",)]))
    assert made == ["a\n", '"x,""y"""\n', "'+86\n", "'-\n", "''=x\n", "a;b\n", '""\n']
