"""Values as a person reads them in a table."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from usermgmt.kernel.results import Column, View
from usermgmt.kernel.words import Words

VIEW = View(
    "thing",
    (
        Column("id", "Id", kind="number"),
        Column("status", "Status"),
        Column("at", "Time", kind="time"),
        Column("tags", "Tags", kind="list"),
        Column("notes", "Notes", kind="notes"),
        Column("changes", "Changes", kind="changes"),
    ),
    enums={"status": {"active": "in use"}},
)
NOTE = {"at": "2026-01-01T00:00:00.000Z", "actor": "root\x1b", "text": "first\n\x1bsecond"}
CHANGES = {"email": [None, "a"], "tags": [["x"], []], "\x1b": ["y", "z"], "odd": "value", "none": [None, None]}


@pytest.fixture
def words():
    return Words(VIEW, ZoneInfo("Asia/Shanghai"))


@pytest.mark.parametrize(
    ("name", "value", "cell"),
    [
        ("id", 7, "7"),
        ("id", None, ""),
        ("status", "active", "in use"),
        ("status", "gone\x1b", "gone\\u{1b}"),
        ("status", ["active"], "active"),
        ("at", "2026-01-01T00:00:00.000Z", "2026-01-01 08:00:00+08:00"),
        ("at", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("at", "whenever\x1b", "whenever\\u{1b}"),
        ("at", 5, "5"),
        ("tags", ["a", "b\n"], "a, b\\n"),
        ("tags", [], ""),
        ("tags", {"ldap": "1", "on": True}, "ldap=1, on=yes"),
        ("unknown", False, "no"),
        ("notes", [NOTE], "2026-01-01 08:00:00+08:00 root\\u{1b}: first;   \\u{1b}second"),
        ("notes", "damaged", "damaged"),
        ("notes", [], ""),
        ("changes", CHANGES, "email: a; tags: x -> -; \\u{1b}: y -> z; odd: value; none: "),
        ("changes", "damaged\x9b", "damaged\\u{9b}"),
        ("changes", {}, ""),
    ],
)
def test_a_cell(words, name, value, cell):
    assert words.cell(name, value) == cell


def test_notes_and_changes_have_lines_where_there_is_room(words):
    assert words.lines("notes", [NOTE, {**NOTE, "text": "x"}]) == [
        "2026-01-01 08:00:00+08:00 root\\u{1b}: first",
        "  \\u{1b}second",
        "2026-01-01 08:00:00+08:00 root\\u{1b}: x",
    ]
    assert words.lines("changes", {"a": [None, 1], "b": [2, None]}) == ["a: 1", "b: 2 -> -"]
    assert words.lines("id", 1) == ["1"]
    assert words.lines("notes", "damaged") == ["damaged"]


def test_times_stay_as_they_are_stored_where_that_is_wanted():
    assert Words(VIEW, None).cell("at", "2026-01-01T00:00:00.000Z") == "2026-01-01T00:00:00.000Z"
    assert Words(VIEW, UTC).cell("at", "2026-01-01T00:00:00.000Z") == "2026-01-01 00:00:00+00:00"


def test_labels(words):
    assert [words.label(name) for name in ("at", "unknown")] == ["Time", "unknown"]
