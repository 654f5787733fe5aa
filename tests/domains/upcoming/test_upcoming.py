"""`upcoming`: what falls due, in the order of time, and the same as a calendar that calendars take."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, datetime

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usermgmt.domains.upcoming import ical
from usermgmt.kernel.jobs import Due

pytestmark = pytest.mark.store("--simulate")
NOW = "--now 2027-03-10T12:00:00Z"


@pytest.fixture
def people(run):
    """Windows that open and close before and after a day of March."""
    for name, window in (
        ("past", "--valid-from 2027-01-01 --valid-until 2027-02-01T00:00:00Z"),
        ("ends", "--valid-until 2027-03-12T00:00:00Z"),
        ("opens", "--valid-from 2027-03-11T09:00:00Z --valid-until 2027-03-20T00:00:00Z"),
        ("later", "--valid-until 2027-04-01T00:00:00Z"),
        ("left", "--valid-until 2027-03-12T00:00:00Z"),
        ("forever", ""),
    ):
        run(f"user add {name} {window} --now 2027-01-01")
    run("user close left --yes --now 2027-01-02")
    return run


def rows(run, more=""):
    return [tuple(row.values()) for row in run(f"upcoming --json --fields at,kind,target_name {NOW} {more}").json]


def test_what_falls_due_in_the_order_of_time(people):
    people(f"tick {NOW}")
    assert rows(people) == [
        ("2027-03-11T00:00:00.000Z", "job", "audit.checkpoint"),
        ("2027-03-11T09:00:00.000Z", "user.opens", "opens"),
        ("2027-03-12T00:00:00.000Z", "user.ends", "ends"),
        ("2027-03-20T00:00:00.000Z", "user.ends", "opens"),
    ]


@pytest.mark.parametrize(
    ("within", "names"),
    [
        ("2d", ["opens", "ends"]),
        ("36h", ["opens"]),
        ("2027-03-11", ["opens"]),
        ("2027-03-12T00:00:00Z", ["opens"]),
        ("30d", ["opens", "ends", "opens", "later"]),
        ("2027-03-01", []),
    ],
)
def test_how_far_ahead(people, within, names):
    assert [row[2] for row in rows(people, f"--within {within}") if row[1] != "job"] == names


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("within", ["14", "soon", "-1d", ""])
def test_what_is_no_time_is_refused(run, within):
    assert run(["upcoming", "--within", within, "--json"], exit=6).error["code"] == "time.invalid"


def test_a_job_that_nobody_runs_is_overdue(run):
    (row,) = run(f"upcoming --json {NOW}").json
    assert (row["at"], row["target"], row["overdue"]) == ("2027-03-10T00:00:00.000Z", "audit.checkpoint", True)
    run(f"tick {NOW}")
    (row,) = run(f"upcoming --json {NOW}").json
    assert (row["at"], row["overdue"]) == ("2027-03-11T00:00:00.000Z", False)


def test_a_backup_is_due_where_a_setting_says_how_often(run):
    run.env["USERMGMT_STORE_BACKUP_EVERY"] = "1w"
    run("store backup one.db --now 2027-03-01")
    run(f"tick {NOW}")
    (row, _job) = run(f"upcoming --json {NOW}").json
    assert (row["at"], row["kind"], row["overdue"]) == ("2027-03-08T00:00:00.000Z", "backup", True)
    run(f"store backup two.db {NOW}")
    assert [row[1] for row in rows(run)] == ["job", "backup"]


def test_it_is_a_read(people):
    before = people("audit list -o count").out
    people(f"upcoming {NOW}")
    assert people("audit list -o count").out == before


def test_every_format(people):
    assert people(f"upcoming -o count {NOW}").out == "4\n"
    table = people(f"upcoming -o table {NOW}", stdout_tty=True).out
    assert "the account ends" in table
    assert people(f"upcoming -o tsv --fields target_name --no-header {NOW}").lines[1:] == ["opens", "ends", "opens"]


# -- as a calendar -----------------------------------------------------------------------------------------------------


def events(data):
    calendar = icalendar.Calendar.from_ical(data)
    assert calendar.errors == []
    for event in calendar.events:
        assert event.errors == []
    return calendar.events


def test_a_calendar_has_the_same(people):
    data = people(f"upcoming -o ical {NOW}").data
    found = events(data)
    assert [str(event["SUMMARY"]) for event in found] == [
        "audit.checkpoint: a job of usermgmt tick is due",
        "opens: the account begins",
        "ends: the account ends",
        "opens: the account ends",
    ]
    assert found[1].start == datetime(2027, 3, 11, 9, tzinfo=UTC)
    assert {event.DTSTAMP for event in found} == {datetime(2027, 3, 10, 12, tzinfo=UTC)}
    assert len({str(event["UID"]) for event in found}) == 4
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_an_event_keeps_its_uid_when_its_time_is_changed(people):
    def uids():
        return {str(event["SUMMARY"]): str(event["UID"]) for event in events(people(f"upcoming -o ical {NOW}").data)}

    before = uids()
    people("user set ends --valid-until 2027-03-15 --now 2027-03-02")
    assert uids() == before


def test_a_calendar_speaks_the_language_of_the_caller(people):
    found = events(people(f"--lang zh upcoming -o ical {NOW}").data)
    assert any("\u4e00" <= char <= "\u9fff" for char in str(found[1]["SUMMARY"]))


@pytest.mark.engines("sqlite")
def test_fields_and_filters_of_json_do_not_go_with_a_calendar(run):
    run(f"upcoming -o ical --jq . {NOW}", exit=2)
    run(f"upcoming -o ical --fields at {NOW}", exit=2)
    run(f"upcoming -o ics {NOW}", exit=2)
    run("user list -o ical", exit=2)


def test_hostile_names_stay_inside_their_line(people):
    hostile = "a;b,c\\d\r\nEND:VCALENDAR\x1b[2J\u202e"
    people.sql("UPDATE \"user\" SET username = ? WHERE username = 'ends'", hostile)
    data = people(f"upcoming -o ical {NOW}").data
    assert data.count(b"\r\nEND:VCALENDAR") == 1
    assert b"\x1b" not in data
    assert len(events(data)) == 4


NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=128
)


@given(NAMES)
def test_any_name_comes_back_out_of_its_folds(name):
    due = Due("2027-03-12T00:00:00.000Z", "user.ends", "user:0197b0a0-0000-7000-8000-000000000001", name)
    data = b"".join(ical.calendar((one for one in [due]), store="s" * 36, now="2027-03-10T12:00:00.000Z"))
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    for line in data.split(b"\r\n"):
        line.decode()
    (event,) = events(data)
    assert str(event["SUMMARY"]) == f"{name}: the account ends"
    assert event.start == dt.datetime(2027, 3, 12, tzinfo=UTC)
