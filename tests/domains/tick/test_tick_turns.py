"""When jobs are done: each slot once, in order, whatever the clock does; one that fails harms no other."""

from __future__ import annotations

import orjson
import pytest
from tick_jobs import JOBS

from usermgmt.domains.tick import slots, turns
from usermgmt.kernel import registry
from usermgmt.kernel.clock import Clock, from_text

pytestmark = pytest.mark.store("--simulate")


@pytest.fixture
def jobs(monkeypatch):
    """Choose the jobs that there are."""
    return lambda *names: monkeypatch.setattr(registry, "jobs", lambda: tuple(JOBS[name] for name in names))


def done(run, now, more="", **options):
    """Tick at a time of March 2027; returns what was done, by name."""
    now = now if ":" in now else f"2027-03-{now}T12:00:00Z"
    return [one["target_name"] for one in run(f"tick --json --now {now} {more}", **options).json]


def slot(day):
    return f"2027-03-{day}T03:00:00.000Z"


# -- slots -------------------------------------------------------------------------------------------------------------


def test_a_slot_is_done_once(run, jobs):
    jobs("daily")
    assert done(run, "10") == [slot(10)]
    assert done(run, "10") == []
    assert done(run, "2027-03-11T02:59:59Z") == []
    assert done(run, "2027-03-11T03:00:00Z") == [slot(11)]


def test_nothing_is_printed_where_nothing_was_done(run, jobs):
    jobs("daily", "idle")
    line = run("tick --now 2027-03-10T12:00:00Z")
    assert line.lines == [f"slot {slot(10)}: created"]
    again = run("tick --now 2027-03-10T12:00:00Z")
    assert (again.out, again.err) == ("", "")
    assert run("tick --now 2027-03-10T12:00:00Z --json").json == []


def test_missed_slots_are_one_run_or_each_has_its_own_in_order(run, jobs):
    jobs("daily", "each")
    assert done(run, "10") == [slot(10), slot(10)]
    assert done(run, "13") == [slot(13), slot(11), slot(12), slot(13)]


def test_what_one_tick_makes_up_for_is_bounded_and_the_next_goes_on(run, jobs, monkeypatch):
    monkeypatch.setattr(turns, "MOST", 3)
    jobs("hourly")
    assert done(run, "10") == ["2027-03-10T12:00:00.000Z"]
    first, second, third = (done(run, "2027-03-10T18:30:00Z") for _ in range(3))
    assert (len(first), len(second), third) == (3, 3, [])
    assert first + second == sorted({*first, *second})
    assert second[-1] == "2027-03-10T18:00:00.000Z"


def test_a_clock_set_back_brings_no_slot_again_and_stalls_nothing(run, jobs):
    jobs("daily", "each")
    for day in (10, 11, 12):
        assert done(run, str(day)) == [slot(day), slot(day)]
    for day in (10, 11, 12):
        assert done(run, str(day)) == []
    assert done(run, "13") == [slot(13), slot(13)]


def test_a_clock_that_ran_ahead_uses_up_no_time(run, jobs):
    jobs("daily")
    assert done(run, "10") == [slot(10)]
    assert done(run, "2090-01-01T12:00:00Z") == ["2090-01-01T03:00:00.000Z"]
    assert done(run, "10") == []
    assert done(run, "11") == [slot(11)]


def test_the_clock_of_the_process_counts_where_none_is_given(run, jobs):
    jobs("daily")

    def at(text):
        return [one["target_name"] for one in run("tick --json", clock=Clock(from_text(text))).json]

    assert at("2027-03-10T12:00:00Z") == [slot(10)]
    assert at("2027-03-10T11:00:00Z") == []
    assert at("2027-03-09T11:00:00Z") == [slot("09")]
    assert at("2027-03-10T12:00:00Z") == []


def test_days_begin_in_the_zone_of_the_configuration(run, jobs):
    jobs("daily")
    env = {"USERMGMT_TIME_ZONE": "Asia/Shanghai"}
    assert done(run, "2027-03-09T18:59:00Z", env=env) == ["2027-03-08T19:00:00.000Z"]
    assert done(run, "2027-03-09T19:00:00Z", env=env) == ["2027-03-09T19:00:00.000Z"]
    # another zone has other slots; the last of them is done, none twice
    assert done(run, "2027-03-10T03:00:00Z") == [slot(10)]


@pytest.mark.parametrize("year", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_do_no_harm(run, jobs, year):
    jobs("daily", "hourly")
    for _ in range(2):
        run(f"tick --now {year}T23:00:00Z")


def test_old_slots_are_forgotten(run, jobs, monkeypatch):
    monkeypatch.setattr(slots, "KEPT", 3)
    jobs("each")
    done(run, "10")
    done(run, "20")
    assert len(run.sql("SELECT due FROM tick_slot")) == 3
    assert done(run, "20") == []


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_job_that_fails_does_not_keep_the_others_from_being_done(run, jobs):
    jobs("fails", "daily", "absent")
    told = run("tick --now 2027-03-10T12:00:00Z", exit=7)
    assert told.lines == [f"slot {slot(10)}: created"]
    assert told.err.splitlines() == ["error: fails: it: no good", "error: absent: it is not there"]
    # and nothing of what it had begun
    assert run("audit list --action user.bulk -o count").out == "0\n"
    # the slots of the others stay done
    again = run("tick --now 2027-03-10T12:00:00Z", exit=6)
    assert again.out == ""


def test_with_jobs_that_had_nothing_to_do_the_failure_is_still_a_part(run, jobs):
    jobs("idle", "fails")
    run("tick --now 2027-03-10T12:00:00Z", exit=7)
    run("tick --now 2027-03-10T12:00:00Z --only fails", exit=6)


def test_where_all_fail_the_code_is_the_first_ones(run, jobs):
    jobs("absent", "fails")
    run("tick --now 2027-03-10T12:00:00Z", exit=8)


def test_failures_are_data_in_json(run, jobs):
    jobs("fails", "daily")
    told = run("tick --now 2027-03-10T12:00:00Z --json", exit=7)
    assert [one["outcome"] for one in told.json] == ["refused", "created"]
    assert told.json[0]["error"]["code"] == "invalid"
    assert told.err == ""


def test_a_failure_that_a_rule_caused_leaves_an_entry(run, jobs):
    jobs("fails", "absent")
    run("tick --now 2027-03-10T12:00:00Z", exit=6)
    (entry,) = run("audit list --outcome failed --json").json
    assert (entry["actor"], entry["action"]) == ("job:fails", "fails")
    run("audit verify --state")


def test_what_nobody_foresaw_is_one_line_without_its_text(run, jobs):
    jobs("crashes", "daily")
    told = run("tick --now 2027-03-10T12:00:00Z", exit=7)
    assert "KeyError" in told.err
    assert "s3cret" not in told.err
    assert "--debug" in told.err
    with pytest.raises(KeyError):
        run("tick --now 2027-03-10T12:00:00Z --debug")


def test_rows_changed_without_an_entry_are_refused(run, jobs):
    run("user add alice --now 2027-03-10")
    jobs("silent", "daily")
    told = run("tick --now 2027-03-10T12:00:00Z", exit=7)
    assert told.lines == [f"slot {slot(10)}: created"]
    assert run("user show alice --json").json["occupation"] is None
    assert run.sql("SELECT job FROM tick_slot") == [("daily",)]


def test_a_slot_whose_job_failed_is_done_later(run, jobs, monkeypatch):
    import tick_jobs

    jobs("daily")
    with monkeypatch.context() as patched:
        patched.setattr(tick_jobs, "slot", tick_jobs.absent)
        run("tick --now 2027-03-10T12:00:00Z", exit=8)
    assert done(run, "10") == [slot(10)]


# -- turns of several transactions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["parts", "parted"])
def test_a_turn_of_several_transactions_is_one(run, jobs, name):
    jobs(name)
    assert done(run, "10") == ["1", "2", "3"]
    entries = run("audit list --action user.bulk --json").json
    assert [entry["actor"] for entry in entries] == [f"job:{name}"] * 3
    assert len({entry["change_id"] for entry in entries}) == 1


@pytest.mark.parametrize("name", ["parts", "parted"])
def test_a_turn_that_was_cut_off_is_taken_up_when_its_lease_is_over(run, jobs, name, monkeypatch):
    jobs(name)
    with monkeypatch.context() as patched:
        # the power goes after the first transaction
        patched.setattr(turns.slots, "finish", None)
        patched.setattr(turns.Turns, "steps", _first_step)
        assert done(run, "2027-03-10T12:00:00Z") == ["1"]
    assert done(run, "2027-03-10T12:04:59Z") == []
    assert done(run, "2027-03-10T12:05:00Z") == ["2", "3"]
    assert run.sql("SELECT count(*) FROM tick_slot WHERE done_at IS NULL") == [(0,)]


def _first_step(self):
    from usermgmt.kernel.transaction import writing

    with writing(self._ctx):
        step = self._step()
    yield step


def test_a_lease_of_a_clock_that_ran_ahead_holds_nothing_up(run, jobs, monkeypatch):
    jobs("parted")
    with monkeypatch.context() as patched:
        patched.setattr(turns.Turns, "steps", _first_step)
        assert done(run, "2090-01-01T00:00:00Z") == ["1"]
    assert done(run, "10") == ["2", "3"]


# -- asking for one, rehearsing ----------------------------------------------------------------------------------------


def test_one_job_alone(run, jobs):
    jobs("daily", "each")
    assert done(run, "10", "--only each") == [slot(10)]
    assert done(run, "10") == [slot(10)]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("dayly", "did you mean daily? The jobs are daily, each"), ("\x1b[31m; rm -rf /", "the jobs are daily, each")],
)
def test_an_unknown_job_is_not_found(run, jobs, name, hint):
    jobs("daily", "each")
    told = run(["tick", "--only", name, "--json"], exit=3)
    assert (told.error["code"], told.error["hint"]) == ("tick.not_found", hint)
    assert "\x1b" not in told.err
    assert run(["tick", "--only", name], exit=3).out == ""


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("name", ["", "é" * 300, "a\x00b", "\udcff", "--only"])
def test_hostile_names_of_jobs(run, name):
    told = run(["tick", f"--only={name}", "--now", "2027-03-10"], exit=None)
    # an empty one is none
    assert told.exit == (0 if not name else 3)
    assert all(char.isprintable() or char == "\n" for char in told.err)


def test_a_rehearsal_does_all_and_keeps_nothing(run, jobs):
    jobs("each", "parts")
    done(run, "10", "--only each")
    assert done(run, "12", "--dry-run") == [slot(11), slot(12), "1", "2", "3"]
    assert "rehearsal" in run("tick --dry-run --now 2027-03-12T12:00:00Z").lines[0]
    assert done(run, "12") == [slot(11), slot(12), "1", "2", "3"]


def test_a_job_without_slots_that_finds_nothing_writes_nothing_for_a_day(run, jobs):
    jobs("idle")
    rows = []
    for now in ("10T12:00", "10T13:00", "11T11:59", "11T12:01", "10T12:00"):
        run(f"tick --now 2027-03-{now}:00Z")
        ((at,),) = run.sql("SELECT max(done_at) FROM tick_slot")
        rows.append(str(at)[8:10])
    assert rows == ["10", "10", "10", "11", "10"]


def test_quiet_prints_no_lines(run, jobs):
    jobs("daily")
    assert run("tick -q --now 2027-03-10T12:00:00Z").out == ""


@pytest.mark.parametrize("form", ["tsv", "csv", "ndjson", "yaml", "ids", "count", "table"])
def test_every_format_has_what_was_done(run, jobs, form):
    jobs("daily")
    out = run(f"tick -o {form} --now 2027-03-10T12:00:00Z").out
    assert out
    if form == "ndjson":
        one = orjson.loads(out)
        assert (one["job"], one["outcome"], one["at"]) == ("daily", "created", "2027-03-10T12:00:00.000Z")
