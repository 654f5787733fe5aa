"""Months pass in a store, and cron calls `tick`: what it says and writes, when, and only once."""

from __future__ import annotations

import pytest

from usermgmt.kernel.audit.anchor import Anchor
from usermgmt.kernel.audit.anchor import last as last_anchor

simulated = pytest.mark.store("--simulate")


def tick(run, day, **options):
    """Tick at noon of a day of 2027; returns the lines."""
    return run(f"tick --now 2027-{day}T12:00:00Z", **options).lines


# -- notices of accounts whose time ends -------------------------------------------------------------------------------


@simulated
def test_each_account_is_told_of_fourteen_days_and_one_day_before_and_when_it_is_over(run):
    run("user add alice --valid-until 2027-03-20T00:00:00Z --now 2027-01-05")
    run("user add forever --now 2027-01-05")
    assert tick(run, "01-05") == []
    assert tick(run, "03-05") == []
    assert tick(run, "03-06") == ["notice alice: created; the account ends at 2027-03-20T00:00:00.000Z"]
    assert tick(run, "03-18") == []
    assert tick(run, "03-19") == ["notice alice: created; the account ends at 2027-03-20T00:00:00.000Z"]
    assert tick(run, "03-20") == ["notice alice: created; the account ended at 2027-03-20T00:00:00.000Z"]
    assert tick(run, "03-21") == tick(run, "12-31") == []
    told = run("user history alice --json").json[1:]
    assert [(one["action"], one["actor"]) for one in told] == [
        ("user.expiring", "job:user.expiring"),
        ("user.expiring", "job:user.expiring"),
        ("user.expired", "job:user.expiring"),
    ]
    assert [one["facts"].get("notice") for one in told] == ["14d", "1d", None]
    run("audit verify --state")


@simulated
def test_a_missed_cron_delays_a_notice_and_the_nearest_one_is_enough(run):
    run("user add alice --valid-until 2027-03-20T00:00:00Z --now 2027-01-05")
    run("user add bob --valid-until 2027-04-20T00:00:00Z --now 2027-01-05")
    assert len(tick(run, "03-19")) == 1
    # three months without cron
    assert [line.split(":")[0] for line in tick(run, "06-20")] == ["notice alice", "notice bob"]
    assert tick(run, "06-20") == []
    assert run("audit list --action user.expired -o count").out == "2\n"


@simulated
def test_a_new_end_is_told_anew_and_an_old_one_is_not(run):
    run("user add alice --valid-until 2027-03-20T00:00:00Z --now 2027-03-10")
    assert len(tick(run, "03-10")) == 1
    run("user set alice --valid-until 2027-03-22T00:00:00Z --now 2027-03-10T12:00:00Z")
    assert len(tick(run, "03-10")) == 1
    run("user set alice --valid-until 2027-03-20T00:00:00Z --now 2027-03-10T12:00:00Z")
    assert tick(run, "03-10") == []
    run('user set alice --valid-until "" --now 2027-03-10T12:00:00Z')
    assert tick(run, "03-20") == []


@simulated
def test_whoever_left_is_not_told_of(run):
    for name in ("closed", "suspended", "gone"):
        run(f"user add {name} --valid-until 2027-03-20T00:00:00Z --now 2027-03-01")
    run("user close closed --yes --now 2027-03-02")
    run("user suspend suspended --now 2027-03-02")
    run("user remove gone --yes --now 2027-03-02")
    assert [line.split(":")[0] for line in tick(run, "03-10")] == ["notice suspended"]
    # a record that notices were given of can go too
    run("user remove suspended --yes --now 2027-03-11")
    assert tick(run, "03-20") == []


@simulated
def test_a_clock_set_back_repeats_no_notice_and_loses_none(run):
    run("user add alice --valid-until 2027-03-20T00:00:00Z --now 2027-03-01")
    # the clock was wrong for a while
    assert len(run("tick --now 2090-01-01").lines) == 1
    run("user add bob --valid-until 2027-03-25T00:00:00Z --now 2027-03-02")
    assert tick(run, "03-12") == ["notice bob: created; the account ends at 2027-03-25T00:00:00.000Z"]
    assert len(tick(run, "03-26")) == 1
    assert tick(run, "03-25") == tick(run, "03-13") == []


@simulated
def test_the_periods_are_a_setting(run):
    env = {"USERMGMT_USER_EXPIRY_NOTICE": "30d,1w"}
    run("user add alice --valid-until 2027-03-31T00:00:00Z --now 2027-03-01")
    assert len(tick(run, "03-02", env=env)) == 1
    assert tick(run, "03-23", env=env) == []
    assert len(tick(run, "03-24", env=env)) == 1
    # none before the end, but the end itself
    env = {"USERMGMT_USER_EXPIRY_NOTICE": "[]"}
    assert tick(run, "03-30", env=env) == []
    assert len(tick(run, "03-31", env=env)) == 1


@pytest.mark.engines("sqlite")
@pytest.mark.parametrize("value", ["14", "[14]", "1d,soon", "0d", "-1d", "900000w"])
def test_a_period_that_is_none_is_refused(run, value):
    told = run("tick --json", exit=8, env={"USERMGMT_USER_EXPIRY_NOTICE": value})
    assert told.error["code"] == "config.invalid"
    assert "user.expiry_notice" in told.error["message"]


@simulated
def test_many_notices_take_several_transactions(run, monkeypatch):
    from usermgmt.domains.user import expiring

    monkeypatch.setattr(expiring, "CHUNK", 2)
    # a tick at the same moment, which had nothing to tell
    assert tick(run, "03-10") == []
    for n in range(5):
        run(f"user add u{n} --valid-until 2027-03-2{n}T00:00:00Z --now 2027-03-01")
    assert len(run("tick --dry-run --now 2027-03-10T12:00:00Z").lines) == 5
    assert [line.split(":")[0] for line in tick(run, "03-10")] == [f"notice u{n}" for n in range(5)]
    assert tick(run, "03-10") == []


# -- the daily checkpoint ----------------------------------------------------------------------------------------------


@pytest.fixture
def witness(run):
    """The directory that another host keeps."""
    folder = run.home / "witness"
    folder.mkdir()
    run.env["USERMGMT_AUDIT_CHECKPOINT_DIR"] = str(folder)
    return folder


@simulated
def test_every_day_a_checkpoint_in_a_file_of_its_own(run, witness):
    store = run("store info --json").json["store_id"]
    for day in ("03-01", "03-02", "03-05"):
        (line,) = tick(run, day)
        assert line.startswith(f"checkpoint {witness}/{store}-1-2027-{day}.json: created")
        assert tick(run, day) == []
    files = sorted(path.name for path in witness.iterdir())
    assert files == [f"{store}-1-2027-{day}.json" for day in ("03-01", "03-02", "03-05")]
    assert [Anchor.parse((witness / name).read_bytes()).n for name in files] == [1, 2, 3]
    for name in files:
        run(f"audit verify --anchor witness/{name}")
    entry = run("audit list --action audit.checkpoint --json").json[0]
    assert entry["actor"] == "job:audit.checkpoint"


@simulated
def test_days_are_those_of_the_zone(run, witness):
    run("tick --now 2027-03-01T17:00:00Z", env={"USERMGMT_TIME_ZONE": "Asia/Shanghai"})
    assert [path.name[-15:] for path in witness.iterdir()] == ["2027-03-02.json"]


@simulated
def test_a_file_that_is_there_is_left_alone(run, witness):
    store = run("store info --json").json["store_id"]
    planted = witness / f"{store}-1-2027-03-01.json"
    for content in ("mine\n", ""):
        planted.write_text(content)
        told = run("tick --only audit.checkpoint --now 2027-03-01T12:00:00Z", exit=5)
        assert str(planted) in told.err
        assert planted.read_text() == content
    planted.unlink()
    planted.symlink_to(run.home / "elsewhere")
    run("tick --only audit.checkpoint --now 2027-03-01T12:00:00Z", exit=5)
    assert not (run.home / "elsewhere").exists()
    assert len(tick(run, "03-02")) == 1


@simulated
def test_a_checkpoint_that_was_written_and_not_recorded_counts(run, witness):
    store = run("store info --json").json["store_id"]
    run(f"audit checkpoint --out witness/{store}-1-2027-03-01.json")
    assert tick(run, "03-01") == []


@simulated
def test_a_directory_that_is_not_there_fails_this_job_alone(run):
    run("user add alice --valid-until 2027-03-20T00:00:00Z --now 2027-03-01")
    env = {"USERMGMT_AUDIT_CHECKPOINT_DIR": str(run.home / "unmounted")}
    told = run("tick --now 2027-03-10T12:00:00Z", exit=7, env=env)
    assert told.lines == ["notice alice: created; the account ends at 2027-03-20T00:00:00.000Z"]
    assert told.err.splitlines() == [f"error: audit.checkpoint: There is no file {run.home}/unmounted."]
    assert not (run.home / "unmounted").exists()


@simulated
def test_without_a_directory_the_head_is_anchored(run):
    run("user add alice --now 2027-03-01")
    (anchors,) = (run.home / "anchors").iterdir()
    assert tick(run, "03-01") == []
    before = anchors.read_bytes()
    anchors.write_bytes(before.splitlines(keepends=True)[0])
    assert len(run("tick --dry-run --now 2027-03-02T12:00:00Z").lines) == 1
    (line,) = tick(run, "03-02")
    assert line == f"anchor {anchors}: created; entries 1 to 2"
    assert last_anchor(anchors).n == 2


# -- the command as others are -----------------------------------------------------------------------------------------


@pytest.mark.store("")
def test_on_a_real_store_the_clock_is_the_hosts(run):
    run("user add soon --valid-until 12h")
    run("user add later --valid-until 30d")
    assert [line.split(":")[0] for line in run("tick").lines] == ["notice soon"]
    assert (run("tick").out, run("tick").err) == ("", "")
    run("tick --now 2027-03-01", exit=2)


@simulated
def test_a_rehearsal_gives_no_notice_and_writes_no_file(run, witness):
    run("user add alice --valid-until 2027-03-20T00:00:00Z --now 2027-03-01")
    told = run("tick --dry-run --json --now 2027-03-10T12:00:00Z").json
    assert [(one["job"], one["dry_run"]) for one in told] == [("user.expiring", True), ("audit.checkpoint", True)]
    assert list(witness.iterdir()) == []
    assert run("audit list -o count").out == "2\n"
    assert len(tick(run, "03-10")) == 2


@simulated
def test_names_that_a_terminal_would_obey_are_neutralised(run):
    run("user add alice --valid-until 2027-03-20T00:00:00Z --now 2027-03-01")
    run.sql('UPDATE "user" SET username = ?', "\x1b[2Jalice\nx")
    (line,) = tick(run, "03-10")
    assert line.startswith("notice \\u{1b}[2Jalice\\nx: created")


@pytest.mark.engines("sqlite")
def test_a_store_that_cannot_be_written_is_one_line(run, monkeypatch):
    from usermgmt.kernel import sqlite

    # root may write whatever the mode says
    monkeypatch.setattr(sqlite, "quoted", lambda path: f"{path}?immutable=1&ignored=")
    told = run("tick", exit=8)
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert "cannot be written" in told.err
