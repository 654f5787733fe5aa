"""Tables for people: measured by the first rows, streamed, as wide as characters are on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from usermgmt.kernel.table import lines, pairs

CELLS = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=30)


def test_columns_are_as_wide_as_their_widest_cell():
    assert list(lines(["Id", "Name"], [["1", "alice"], ["200", "b"]])) == ["Id   Name", "1    alice", "200  b"]


def test_han_takes_two_places():
    assert list(lines(["名", "x"], [["张伟", "1"], ["a", "2"]])) == ["名    x", "张伟  1", "a     2"]


def test_no_header_and_no_rows():
    assert list(lines(None, [["1", "a"]])) == ["1  a"]
    assert list(lines(None, [])) == []
    assert list(lines(["Id"], [])) == ["Id"]


def test_the_header_is_bold_where_that_is_wanted():
    assert list(lines(["Id"], [["1"]], bold=True)) == ["\x1b[1mId\x1b[0m", "1"]


def test_rows_after_the_measured_ones_are_whole_and_nothing_is_read_too_early():
    read = []

    def rows():
        for n in range(2000):
            read.append(n)
            yield ["x" * (n // 100), str(n)]

    made = lines(["A", "B"], rows())
    next(made)
    assert len(read) == 500
    rest = list(made)
    assert len(rest) == 2000
    assert rest[-1] == "x" * 19 + "  1999"
    assert not any("…" in line for line in rest)


def test_a_table_fits_the_terminal_by_cutting_the_widest_cells():
    made = list(lines(["Id", "Text"], [["1", "x" * 300], ["2", "张" * 100]], width=40))
    assert [cell_len(line) for line in made[1:]] == [40, 40]
    assert made[1].endswith("…")


def test_a_terminal_too_narrow_for_all_columns_shows_them_all_the_same():
    made = list(lines(["A"] * 10, [["x" * 20] * 10], width=20))
    assert made[1].count("…") == 10


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8), st.integers(0, 60))
def test_no_line_is_wider_than_the_terminal_where_it_can_be_helped(rows, width):
    labels = ["a", "b", "c"]
    made = list(lines(labels, rows, width=width))
    assert len(made) == len(rows) + 1
    for line in made:
        assert not width or width < 30 or cell_len(line) <= width
    if not width:
        for row, line in zip(rows, made[1:], strict=True):
            assert all(cell.strip() in line for cell in row)


def test_pairs_stand_in_two_columns():
    assert list(pairs([("Id", "1"), ("名字", "张"), ("", "more")])) == ["Id    1", "名字  张", "      more"]
    assert list(pairs([("Id", "1")], bold=True)) == ["\x1b[1mId\x1b[0m  1"]
    assert list(pairs([])) == []
