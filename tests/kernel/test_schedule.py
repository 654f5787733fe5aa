"""Slots follow from the calendar alone: from any moment the same ones, also where clocks go back and forward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.kernel.schedule import Daily, Every

NEW_YORK = ZoneInfo("America/New_York")


def at(text):
    return datetime.fromisoformat(text)


def test_a_day_has_one_slot():
    assert Daily("03:00").latest(at("2027-03-10T12:00Z"), UTC) == at("2027-03-10T03:00Z")
    assert Daily("03:00").latest(at("2027-03-10T02:59Z"), UTC) == at("2027-03-09T03:00Z")
    assert Daily("03:00").latest(at("2027-03-10T03:00Z"), UTC) == at("2027-03-10T03:00Z")
    assert Daily().latest(at("2027-03-10T12:00Z"), ZoneInfo("Asia/Shanghai")) == at("2027-03-09T16:00Z")


def test_a_time_that_a_day_leaves_out_is_the_moment_that_clocks_go_forward_to():
    # 2027-03-14, 02:00 becomes 03:00
    assert Daily("02:30").latest(at("2027-03-14T20:00Z"), NEW_YORK) == at("2027-03-14T07:30Z")
    assert Daily("02:30").after(at("2027-03-14T07:30Z"), NEW_YORK) == at("2027-03-15T06:30Z")


def test_a_time_that_comes_twice_is_the_first():
    # 2027-11-07, 02:00 becomes 01:00
    assert Daily("01:30").latest(at("2027-11-07T05:30Z"), NEW_YORK) == at("2027-11-07T05:30Z")
    assert Daily("01:30").latest(at("2027-11-07T06:45Z"), NEW_YORK) == at("2027-11-07T05:30Z")
    assert Daily("01:30").after(at("2027-11-07T05:30Z"), NEW_YORK) == at("2027-11-08T06:30Z")


def test_a_day_that_a_zone_left_out_has_no_slot_of_its_own():
    apia = ZoneInfo("Pacific/Apia")
    before = Daily().latest(at("2011-12-30T09:00Z"), apia)
    assert before == at("2011-12-29T10:00Z")
    assert Daily().after(before, apia) == at("2011-12-30T10:00Z")
    assert Daily().after(at("2011-12-30T10:00Z"), apia) == at("2011-12-31T10:00Z")


def test_an_interval_is_counted_from_1970():
    assert Every(3600).latest(at("2027-03-10T12:34Z"), UTC) == at("2027-03-10T12:00Z")
    assert Every(7).latest(at("1970-01-01T00:00:20Z"), UTC) == at("1970-01-01T00:00:14Z")
    assert Every(7).after(at("1970-01-01T00:00:14Z"), UTC) == at("1970-01-01T00:00:21Z")


def test_the_calendar_ends():
    last = datetime.max.replace(tzinfo=UTC)
    assert Daily().after(last, UTC) is None
    assert Every(3600).after(last, UTC) is None
    assert Daily("03:00").latest(datetime.min.replace(tzinfo=UTC), UTC) is None


ZONES = st.sampled_from([UTC, NEW_YORK, *map(ZoneInfo, ("Asia/Shanghai", "Pacific/Apia", "Australia/Lord_Howe"))])
SCHEDULES = st.sampled_from([Daily(), Daily("02:30"), Daily("23:59"), Every(1), Every(3600), Every(86_400)])
MOMENTS = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(SCHEDULES, ZONES, MOMENTS)
def test_the_last_slot_and_the_next_one_enclose_every_moment(schedule, zone, now):
    latest = schedule.latest(now, zone)
    following = schedule.after(latest, zone)
    assert latest <= now < following
    assert schedule.latest(following, zone) == following
    assert schedule.latest(following - timedelta(microseconds=1), zone) == latest


@pytest.mark.parametrize("schedule", [Daily("03:00"), Every(3600)])
def test_slots_one_after_another_are_those_that_moments_find(schedule):
    slot, found = at("2027-03-10T03:00Z"), set()
    for hours in range(100):
        found.add(schedule.latest(slot + timedelta(hours=hours), UTC))
    walked = {slot}
    for _ in range(len(found) - 1):
        slot = schedule.after(slot, UTC)
        walked.add(slot)
    assert walked == found
