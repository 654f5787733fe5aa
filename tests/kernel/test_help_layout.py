"""Help as people read it: wrapped by cells, as wide as the terminal, in the language asked for."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from usermgmt.kernel import layout
from usermgmt.kernel.streams import Streams


def streams(*, tty: bool = False) -> Streams:
    return Streams(io.BytesIO(), io.BytesIO(), io.BytesIO(), stdout_tty=tty)


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, 80),
        ({"COLUMNS": "120"}, 100),
        ({"COLUMNS": "60"}, 60),
        ({"COLUMNS": "10"}, 40),
        ({"TERMINAL_WIDTH": "90", "COLUMNS": "60"}, 90),
        ({"TERMINAL_WIDTH": "0", "COLUMNS": "60"}, 60),
        ({"COLUMNS": "wide"}, 80),
        ({"COLUMNS": "９０"}, 80),
        ({"COLUMNS": "-5"}, 80),
        ({"COLUMNS": "9" * 5000}, 80),
    ],
)
def test_the_width_is_that_of_the_environment_within_bounds(env, wanted):
    assert layout.width(env, streams()) == wanted


def test_a_terminal_that_tells_no_width_is_80_wide():
    assert layout.width({}, streams(tty=True)) == 80


def test_a_real_terminal_is_asked():
    import fcntl
    import os
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 66, 0, 0))
        with os.fdopen(os.dup(slave), "wb") as stream:
            seen = Streams(io.BytesIO(), stream, io.BytesIO(), stdout_tty=True)
            assert layout.width({}, seen) == 66
            assert layout.width({}, Streams(io.BytesIO(), io.BytesIO(), stream, stderr_tty=True)) == 66
    finally:
        os.close(master)
        os.close(slave)


@given(st.text(alphabet="ab -，。（用户管理 ", max_size=200), st.integers(20, 100))
def test_wrapping_loses_nothing_and_fits(text, size):
    lines = list(layout.wrap(text, size))
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        # only what must not be parted may run over: an unbroken word, or a row of signs that begin or end no line
        assert cell_len(line) <= size or len(line.split()) == 1


def test_chinese_is_parted_anywhere_but_before_and_after_signs():
    assert list(layout.wrap("添加一个用户，默认为正常状态。", 14)) == ["添加一个用户，", "默认为正常状", "态。"]
    assert list(layout.wrap("（用户）（管理）", 4)) == ["（用", "户）", "（管", "理）"]
    assert list(layout.wrap("用 --add-tag 添加", 12)) == ["用 --add-tag", "添加"]


def test_words_are_not_parted_at_their_hyphens():
    assert list(layout.wrap("the same as --add-external-id", 20)) == ["the same as", "--add-external-id"]


def test_columns_align_by_cells():
    text = layout.section("选项", [("--status 状态", "甲"), ("-h", "乙"), ("--long", "丙 " * 60)], 60)
    lines = text.splitlines()
    starts = {cell_len(line[: line.index(char)]) for line, char in zip(lines[1:4], "甲乙丙", strict=True)}
    assert starts == {17}
    assert all(cell_len(line) <= 60 for line in lines)
    assert all(line.startswith(" " * 17 + "丙") for line in lines[4:])


def test_a_long_left_side_has_a_line_of_its_own():
    lines = layout.section("Options", [("--" + "x" * 40, "Long."), ("-h", "Short.")], 80).splitlines()
    assert lines == ["Options:", "  --" + "x" * 40, "      Long.", "  -h  Short."]


def test_usage_goes_on_below_its_first_argument():
    text = layout.usage("Usage:", ["usermgmt user add", "USERNAME", "--text TEXT", "[OPTIONS]"] + ["[MORE]"] * 6, 60)
    first, *rest = text.splitlines()
    assert first == "Usage: usermgmt user add USERNAME --text TEXT [OPTIONS]"
    assert rest == [" " * 25 + "[MORE] [MORE] [MORE] [MORE] [MORE]", " " * 25 + "[MORE]"]


# -- the real pages ----------------------------------------------------------------------------------------------------


@pytest.mark.store
@pytest.mark.engines("sqlite")
class TestPages:
    def test_a_bare_call_is_help_on_standard_error(self, run):
        for line, title in (("", "People:"), ("user", "Commands:")):
            done = run(line, exit=2)
            assert done.out == ""
            assert title in done.err

    def test_h_and_help_are_the_same(self, run):
        for line in ("", "user", "user add"):
            assert run(f"{line} -h").out == run(f"{line} --help").out

    def test_usage_is_what_a_person_would_write(self, run):
        assert run("user add -h").lines[0] == "Usage: usermgmt user add USERNAME [OPTIONS]"
        assert run("user suspend -h").lines[0] == "Usage: usermgmt user suspend [USER|-]... [OPTIONS]"
        assert run("user note -h").lines[0] == "Usage: usermgmt user note USER --text TEXT|- [OPTIONS]"
        assert run("user -h").lines[0] == "Usage: usermgmt user VERB [ARGUMENTS] [OPTIONS]"
        assert run("config set -h").lines[0] == "Usage: usermgmt config set KEY [VALUE] [OPTIONS]"

    def test_every_panel_of_options_is_shown(self, run):
        text = run("user set -h").out
        for title in ("Arguments:", "Options:", "Profile:", "Whom:", "Writing:", "Output:"):
            assert f"\n{title}\n" in text
        assert "--email A@B" in text
        assert "--add-tag TAG..." in text

    def test_a_group_shows_the_first_sentence_of_each_command(self, run):
        line = next(line for line in run("user -h", env={"COLUMNS": "100"}).lines if line.startswith("  exists "))
        assert line.endswith("0 yes, 3 no.")

    def test_choices_and_defaults_are_shown(self, run):
        text = " ".join(run("user add -h").out.split())
        assert "--if-exists fail|skip|update" in text
        assert "[default: fail]" in text
        assert "-o, --output FORMAT" in text
        assert "[one of table, tsv, csv, json, ndjson, yaml, ids, count]" in text

    def test_global_options_are_in_the_roots_help_only(self, run):
        assert "--no-input" in run("--help").out
        assert "--no-input" not in run("user list --help").out
        assert "usermgmt --help lists the global options." in run("user list --help").out

    @pytest.mark.parametrize("columns", ["56", "66", "100", "300"])
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_no_line_is_wider_than_it_may_be(self, run, columns, language):
        size = min(int(columns), 100)
        for line in ("--help", "user --help", "user set --help", "config set --help"):
            text = run(f"--lang {language} {line}", env={"COLUMNS": columns}).out
            examples = [row for row in text.splitlines() if row.startswith("  usermgmt ")]
            wide = [row for row in text.splitlines() if cell_len(row) > size and row not in examples]
            # an option with its value is never parted
            assert all(row.strip().startswith("-") for row in wide)
            assert size < 100 or not wide
