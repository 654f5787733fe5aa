"""Times as people write them: the contract's grammar and nothing more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel.clock import Clock, from_text, to_text
from usermgmt.kernel.errors import Exit
from usermgmt.kernel.times import BadTime, duration, moment

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def read(text, *, edge="start", direction="future", zone=UTC, now=NOW):
    return moment(text, "--since", now=now, zone=zone, edge=edge, direction=direction)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-12-31T18:00:00Z", "2026-12-31T18:00:00.000Z"),
        ("2026-12-31t18:00:00z", "2026-12-31T18:00:00.000Z"),
        ("2026-12-31 18:00:00Z", "2026-12-31T18:00:00.000Z"),
        ("2026-12-31T18:00Z", "2026-12-31T18:00:00.000Z"),
        ("2026-12-31T18:00:00.1Z", "2026-12-31T18:00:00.100Z"),
        ("2026-12-31T18:00:00.123456789Z", "2026-12-31T18:00:00.123Z"),
        ("2026-12-31T18:00:00+08:00", "2026-12-31T10:00:00.000Z"),
        ("2026-12-31T18:00:00-00:30", "2026-12-31T18:30:00.000Z"),
        (" 2026-12-31 ", "2026-12-31T00:00:00.000Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("0s", "2026-05-17T12:00:00.000Z"),
        ("45s", "2026-05-17T12:00:45.000Z"),
        ("30m", "2026-05-17T12:30:00.000Z"),
        ("12h", "2026-05-18T00:00:00.000Z"),
        ("90d", "2026-08-15T12:00:00.000Z"),
        ("2w", "2026-05-31T12:00:00.000Z"),
    ],
)
def test_what_is_a_time(text, kept):
    assert read(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "yesterday",
        "1700000000",
        "2026",
        "20261231",
        "2026-12",
        "2026-13-01",
        "2026-02-29",
        "2026-12-31T18:00:00",
        "2026-12-31T25:00:00Z",
        "2026-12-31T18:60:00Z",
        "2026-12-31T18:00:00+25:00",
        "2026-12-31T18:00:00 Z",
        "2026-12-31T18:00:00Z2026-12-31T18:00:00Z",
        "2026-W01-1",
        "-90d",
        "+90d",
        "90",
        "d",
        "90 d",
        "1.5h",
        "90D",
        "1y",
        "1000000d",
        "999999w",
        "0000-01-01",
        "10000-01-01",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-08:00",
        "2026-12-31\x00",
        "\udcff",
    ],
)
def test_what_is_none(text):
    with pytest.raises(BadTime) as caught:
        read(text)
    assert (caught.value.code, caught.value.exit) == ("time.invalid", Exit.INVALID)
    assert "--since" in caught.value.message
    assert caught.value.advice


def test_a_duration_counts_back_where_something_is_looked_for():
    assert read("2d", direction="past") == "2026-05-15T12:00:00.000Z"
    assert read("2d", direction="future") == "2026-05-19T12:00:00.000Z"


def test_a_duration_over_the_edge_of_the_calendar_is_none():
    with pytest.raises(BadTime):
        read("999999d", direction="past")


@pytest.mark.parametrize(
    ("text", "length"), [("90d", timedelta(days=90)), ("1w", timedelta(days=7)), ("1.5h", None), ("", None)]
)
def test_duration(text, length):
    assert duration(text) == length


def test_a_date_begins_and_ends_with_the_day_of_its_zone():
    assert read("2026-01-01", zone=SHANGHAI) == "2025-12-31T16:00:00.000Z"
    assert read("2026-01-01", zone=SHANGHAI, edge="end") == "2026-01-01T16:00:00.000Z"


def test_never_is_the_last_moment_that_there_is():
    assert read("9999-12-31", edge="end") == "9999-12-31T23:59:59.999Z"
    assert read("9999-12-31", edge="end", zone=SHANGHAI) == "9999-12-31T23:59:59.999Z"
    assert read("9999-12-31") == "9999-12-31T00:00:00.000Z"


def test_a_day_on_which_midnight_is_skipped_begins_when_it_does():
    # Brazil put its clocks forward at midnight: that day began at one o'clock
    assert read("2018-11-04", zone=ZoneInfo("America/Sao_Paulo")) == "2018-11-04T03:00:00.000Z"


@given(
    st.dates(min_value=date(2, 1, 1), max_value=date(9998, 1, 1)),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_one_day_ends_where_the_next_begins(day, zone):
    end = read(day.isoformat(), edge="end", zone=zone)
    assert end == read((day + timedelta(days=1)).isoformat(), zone=zone)
    assert from_text(end) - from_text(read(day.isoformat(), zone=zone)) == timedelta(days=1)


@given(st.dates(date(1, 1, 2), date(9999, 12, 30)), st.integers(0, 86_399_999), st.integers(-14 * 60, 14 * 60))
def test_what_is_written_is_read_back_in_any_offset(day, milliseconds, minutes):
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    local = at.astimezone(timezone(timedelta(minutes=minutes)))
    text = f"{local.year:04}-{local:%m-%dT%H:%M:%S}.{local.microsecond // 1000:03}{local:%z}"
    assert read(text[:-2] + ":" + text[-2:]) == to_text(at)
    assert from_text(read(to_text(at))) == at


@given(st.text(max_size=40))
def test_any_other_text_is_refused_and_never_a_crash(text):
    try:
        kept = read(text)
    except BadTime:
        return
    assert to_text(from_text(kept)) == kept


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_stored_times_sort_as_the_moments_do(one, other):
    one, other = (at.replace(microsecond=at.microsecond // 1000 * 1000) for at in (one, other))
    assert (to_text(one) < to_text(other)) == (one < other)
    assert len(to_text(one)) == 24


def test_a_clock_that_stands_still():
    assert Clock(NOW).text() == "2026-05-17T12:00:00.000Z"
    assert Clock().now().microsecond % 1000 == 0
