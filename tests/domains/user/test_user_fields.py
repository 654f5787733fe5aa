"""Every field and list of a user: taken as people write it, kept in one form, cleared by an empty text, or refused."""

from __future__ import annotations

import pytest

TAKEN = [
    ("email", "Alice@Example.COM", "Alice@example.com"),
    ("email", " a@x.com ", "a@x.com"),
    ("email", "a@例子.公司", "a@例子.公司"),
    ("phone", "138 0013 8000", "+8613800138000"),
    ("phone", "+44 20 7946 0958", "+442079460958"),
    ("display_name", "  Ally ♥ ", "  Ally ♥ "),
    ("full_name", "张 伟", "张 伟"),
    ("gender", "female", "female"),
    ("gender", " MALE ", "male"),
    ("gender", "other", "other"),
    ("birth_date", "1990-05-17", "1990-05-17"),
    ("birth_date", "2000-02-29", "2000-02-29"),
    ("birth_date", "1991/2/3", "1991-02-03"),
    ("birth_date", "1991年2月3日", "1991-02-03"),
    ("birth_date", "１９９１.02.3", "1991-02-03"),
    ("occupation", "nurse", "nurse"),
    ("locale", "zh_CN", "zh-CN"),
    ("locale", "en", "en"),
    ("time_zone", "Asia/Shanghai", "Asia/Shanghai"),
    ("kind", "service", "service"),
    ("valid_from", "2026-01-01", "2026-01-01T00:00:00.000Z"),
    ("valid_from", "2026-01-01T08:00:00+08:00", "2026-01-01T00:00:00.000Z"),
    ("valid_until", "2099-12-31", "2100-01-01T00:00:00.000Z"),
    ("valid_until", "2099-12-31T18:00:00.5Z", "2099-12-31T18:00:00.500Z"),
    ("valid_until", "9999-12-31", "9999-12-31T23:59:59.999Z"),
    ("email_verified_at", "2025-01-01", "2025-01-01T00:00:00.000Z"),
    ("phone_verified_at", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.000Z"),
    ("managed_by", "base.toml", "base.toml"),
]
REFUSED = [
    ("email", "nonsense", "email.invalid"),
    ("email", "a@b", "email.invalid"),
    ("phone", "12", "phone.invalid"),
    ("phone", "+999123456789", "phone.invalid"),
    ("gender", "yes", "user.field"),
    ("kind", "robot", "user.field"),
    ("kind", "", "user.field"),
    ("birth_date", "17.5.1990", "user.field"),
    ("birth_date", "1990-02-30", "user.field"),
    ("birth_date", "1990-02/03", "user.field"),
    ("birth_date", "1990年2月3", "user.field"),
    ("birth_date", "3/2/1990", "user.field"),
    ("birth_date", "1849-12-31", "user.field"),
    ("birth_date", "9999-01-01", "user.field"),
    ("birth_date", "1990-05-17T00:00:00Z", "user.field"),
    ("locale", "chinese (simplified)", "user.field"),
    ("time_zone", "Beijing", "user.field"),
    ("time_zone", "../../etc/passwd", "user.field"),
    ("valid_from", "tomorrow", "time.invalid"),
    ("valid_from", "2026-13-01", "time.invalid"),
    ("valid_until", "1700000000", "time.invalid"),
    ("valid_until", "2026-01-01T00:00:00", "time.invalid"),
    ("valid_until", "-90d", "time.invalid"),
    ("display_name", "x" * 201, "user.field"),
    ("full_name", "a\x1b[31mb", "user.field"),
    ("occupation", "a\nb", "user.field"),
    ("managed_by", "a\x00b", "user.field"),
    ("display_name", "a\udcffb", "user.field"),
]


def option(field):
    return "--" + field.replace("_", "-")


def ids(rows):
    return [f"{field}={value.strip()[:24]!r}" for field, value, _then in rows]


@pytest.mark.parametrize(("field", "typed", "kept"), TAKEN, ids=ids(TAKEN))
def test_a_field_is_kept_in_one_form_left_alone_and_cleared(run, field, typed, kept):
    given = [option(field), typed, "--json"]
    assert run(["user", "add", "alice", *given]).json[field] == kept
    assert run("user show alice --reveal --json").json[field] == kept
    assert run(["user", "ensure", "alice", *given]).json["outcome"] == "unchanged"
    assert run("user set alice --add-tag other --json").json["outcome"] == "updated"
    if field == "kind":
        run("user set alice --kind person")
    else:
        cleared = run(["user", "set", "alice", option(field), "", "--json"]).json
        assert (cleared["outcome"], cleared[field]) == ("updated", None)
        assert run(["user", "set", "alice", option(field), "", "--json"]).json["outcome"] == "unchanged"
    before = run("user show alice --json").json
    changed = run(["user", "set", "alice", *given]).json
    assert (changed["outcome"], changed[field], changed["version"]) == ("updated", kept, before["version"] + 1)
    assert changed["changes"][field] == [before[field], kept]
    assert run(["user", "set", "alice", *given]).json["outcome"] == "unchanged"
    assert run("audit verify --state --json").json["holds"] is True


def test_what_a_field_cannot_be_is_refused_and_changes_nothing(run):
    run("user add alice")
    before = run("user show alice --json").data
    for field, typed, code in REFUSED:
        for line in (["user", "set", "alice"], ["user", "add", "bob"], ["user", "ensure", "carol"]):
            answer = run([*line, option(field), typed, "--json"], exit=6)
            assert (answer.out, answer.error["code"]) == ("", code), (field, typed)
            assert answer.error["details"]["field"] == field
    assert run("user show alice --json").data == before
    assert run("user list -o count").out == "1\n"


def test_longest_texts_are_counted_in_characters(run):
    run(["user", "add", "alice", "--display-name", "注" * 200])
    assert run("user show alice --json").json["display_name"] == "注" * 200


@pytest.mark.store("")
def test_a_store_without_a_region_says_how_to_give_one(run):
    error = run("user add alice --phone 13800138000 --json", exit=6).error
    assert error["code"] == "phone.invalid"
    assert "init --region" in error["hint"]
    assert run("user add alice --phone +8613800138000 --json").json["phone"] == "+8613800138000"
    run("user show phone:13800138000", exit=3)


def test_a_new_address_was_never_verified(run):
    run(
        "user add alice --email a@x.com --email-verified-at 2025-01-01"
        " --phone 13800138000 --phone-verified-at 2025-01-01"
    )
    same = run("user set alice --email A@x.com --json").json
    assert same["email_verified_at"] == "2025-01-01T00:00:00.000Z"
    other = run("user set alice --email b@x.com --json").json
    assert other["email_verified_at"] is None
    assert other["changes"]["email_verified_at"] == ["2025-01-01T00:00:00.000Z", None]
    both = run("user set alice --phone 13800138001 --phone-verified-at 2026-01-01 --json").json
    assert both["phone_verified_at"] == "2026-01-01T00:00:00.000Z"
    assert run("user set alice --phone '' --json").json["phone_verified_at"] is None


@pytest.mark.parametrize(
    ("given", "clash", "ref"),
    [
        ("--email alice@x.com", "--email ALICE@X.com", "email:ALICE@x.com"),
        ("--phone 13800138000", "--phone +8613800138000", "phone:+8613800138000"),
        ("--external-id ldap/4711", "--external-id LDAP/4711", "ext:ldap/4711"),
    ],
)
def test_what_is_one_users_is_no_others(run, given, clash, ref):
    run(f"user add alice {given}")
    run("user add bob")
    for line in ("user set bob", "user add carol", "user ensure dave", "user add bob --if-exists update"):
        error = run(f"{line} {clash} --json", exit=5).error
        assert error["code"] == "user.exists"
        assert error["hint"] == f"usermgmt user show {ref}"
    assert run(f"user show {ref} --json").json["username"] == "alice"
    run("user remove alice --yes")
    assert run(f"user set bob {clash} --json").json["outcome"] == "updated"


def test_a_further_address_may_be_shared(run):
    run("user add alice --add-address phone:01065529988")
    run("user add bob --add-address phone:01065529988")
    assert run("user list --json --reveal --jq '.[].addresses[0]'").out == "phone:+861065529988\n" * 2
    run("user show phone:01065529988", exit=3)


# -- windows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "window",
    [
        "--valid-from 2026-02-01 --valid-until 2026-01-01",
        "--valid-from 2026-02-01T00:00:00Z --valid-until 2026-02-01T00:00:00Z",
    ],
)
def test_a_window_that_never_opens_is_refused(run, window):
    assert run(f"user add alice {window} --json", exit=6).error["details"]["field"] == "valid_until"
    run("user add alice --valid-until 2026-01-01T00:00:00Z")
    assert run("user set alice --valid-from 2026-01-01 --json", exit=6).error["details"]["field"] == "valid_until"


def test_one_day_is_a_window(run):
    made = run("user add alice --valid-from 2026-02-01 --valid-until 2026-02-01 --json").json
    assert (made["valid_from"], made["valid_until"]) == ("2026-02-01T00:00:00.000Z", "2026-02-02T00:00:00.000Z")


@pytest.mark.store("--simulate --region CN")
@pytest.mark.parametrize(
    ("now", "cause"),
    [
        ("2026-01-31T23:59:59.999Z", "not-yet-valid"),
        ("2026-02-01T00:00:00Z", None),
        ("2026-02-28T23:59:59.999Z", None),
        ("2026-03-01T00:00:00Z", "expired"),
    ],
)
def test_a_window_is_half_open_and_the_cause_is_said(run, now, cause):
    run("user add alice --valid-from 2026-02-01 --valid-until 2026-02-28 --now 2026-01-01T00:00:00Z")
    shown = run(f"user show alice --json --now {now}").json
    assert (shown["status"], shown["active"], shown["cause"]) == ("active", cause is None, cause)
    listed = run(f"user list --json --fields active,cause --now {now}").json
    assert listed == [{"active": cause is None, "cause": cause}]
    word = {"not-yet-valid": "not valid yet", "expired": "expired", None: ""}[cause]
    assert word in run("user list -o table --now " + now).out
    suspended = run(f"user suspend alice --json --now {now}").json
    assert suspended["cause"] == "suspended"


@pytest.mark.store("--simulate --region CN")
def test_durations_count_from_now_forwards(run):
    made = run("user add alice --valid-from 12h --valid-until 2w --now 2026-01-01T00:00:00Z --json").json
    assert (made["valid_from"], made["valid_until"]) == ("2026-01-01T12:00:00.000Z", "2026-01-15T00:00:00.000Z")
    verified = run("user set alice --email a@x.com --email-verified-at 2d --now 2026-01-03T00:00:00Z --json").json
    assert verified["email_verified_at"] == "2026-01-01T00:00:00.000Z"


def test_a_date_begins_and_ends_in_the_zone_of_the_store(run):
    zone = {"USERMGMT_TIME_ZONE": "Asia/Shanghai"}
    made = run("user add alice --valid-from 2026-01-01 --valid-until 2026-01-01 --json", env=zone).json
    assert (made["valid_from"], made["valid_until"]) == ("2025-12-31T16:00:00.000Z", "2026-01-01T16:00:00.000Z")
    assert "2026-01-02 00:00:00+08:00" in run("user show alice -o table", env=zone).out
    assert "2026-01-01T16:00:00.000Z" in run("user show alice -o table --utc", env=zone).out


def test_who_is_made_or_changed_and_does_not_count_is_told_why(run):
    assert run("user add alice --valid-until 2020-01-01").out == "user alice: created; not active: expired\n"
    assert run("user set alice --valid-from 2019-01-01").out.endswith("; not active: expired\n")
    assert run("user suspend alice").out == "user alice: updated (status)\n"


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "UTC"])
def test_the_ends_of_the_calendar_are_shown_in_any_zone(run, zone):
    run("user add alice --valid-from 0001-01-01T00:00:00Z --valid-until 9999-12-31T23:59:59.999Z")
    shown = run("user show alice -o table", env={"USERMGMT_TIME_ZONE": zone}).out
    assert "0001-01-01" in shown
    assert "9999-12-31" in shown


# -- age ---------------------------------------------------------------------------------------------------------------


@pytest.mark.store("--simulate --region CN")
@pytest.mark.parametrize(
    ("now", "age"),
    [
        ("2026-05-16T23:59:59Z", 35),
        ("2026-05-17T00:00:00Z", 36),
        ("1990-05-17T12:00:00Z", 0),
    ],
)
def test_age_is_derived(run, now, age):
    run("user add alice --birth-date 1990-05-17 --now 1990-05-17T00:00:00Z")
    assert run(f"user show alice --json --now {now}").json["age"] == age
    assert run(f"user list --json --fields age --now {now}").json == [{"age": age}]


@pytest.mark.store("--simulate --region CN")
def test_age_and_today_follow_the_zone(run):
    zone = {"USERMGMT_TIME_ZONE": "Asia/Shanghai"}
    run("user add alice --birth-date 1990-05-17")
    assert run("user show alice --json --now 2026-05-16T15:59:59Z", env=zone).json["age"] == 35
    assert run("user show alice --json --now 2026-05-16T16:00:00Z", env=zone).json["age"] == 36
    run("user add bob --birth-date 2026-05-17 --now 2026-05-16T16:00:00Z", env=zone)
    run("user add carol --birth-date 2026-05-17 --now 2026-05-16T16:00:00Z", exit=6)


def test_a_leap_day_child_is_older_on_the_first_of_march(run):
    from usermgmt.domains.user.standing import age

    assert [age("2000-02-29", day) for day in ("2001-02-28", "2001-03-01", "2004-02-28", "2004-02-29")] == [0, 1, 3, 4]


def test_age_is_no_field_of_its_own(run):
    run("user add alice")
    assert run("user set alice --age 3 --json", exit=2).error["code"] == "usage.option"


# -- lists -------------------------------------------------------------------------------------------------------------

LISTS = {
    "tag": ("tags", ["b", "a"], "c", ["a", "b"]),
    "external-id": ("external_ids", ["ldap/1", "hr/2"], "ad/3", {"hr": "2", "ldap": "1"}),
    "address": (
        "addresses",
        ["email:b@x.com", "phone:13800138000"],
        "email:c@x.com",
        ["email:b@x.com", "phone:+8613800138000"],
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_add_remove_and_set_of_a_list(run, name):
    field, given, other, kept = LISTS[name]
    adding = [word for item in given for word in (f"--add-{name}", item)]
    assert run(["user", "add", "alice", *adding, "--json"]).json[field] == kept
    assert run(["user", "set", "alice", *adding, "--json"]).json["outcome"] == "unchanged"
    assert run(["user", "set", "alice", f"--remove-{name}", other, "--json"]).json["outcome"] == "unchanged"
    more = run(["user", "set", "alice", f"--add-{name}", other, "--json"]).json
    assert len(more[field]) == 3
    fewer = run(["user", "set", "alice", f"--remove-{name}", given[0], "--json"]).json
    assert len(fewer[field]) == 2
    only = run(["user", "set", "alice", f"--set-{name}", other, "--json"]).json
    assert len(only[field]) == 1
    assert run(["user", "set", "alice", f"--set-{name}", other, "--json"]).json["outcome"] == "unchanged"
    none = run(["user", "set", "alice", f"--set-{name}", "", "--json"]).json
    assert none[field] == type(kept)()
    assert none["outcome"] == "updated"
    assert run(["user", "set", "alice", f"--set-{name}", "", "--json"]).json["outcome"] == "unchanged"
    assert run("audit verify --state --json").json["holds"] is True


def test_one_call_sets_then_adds_then_removes(run):
    run("user add alice --add-tag old")
    assert run("user set alice --remove-tag x --add-tag y --set-tag x --set-tag z --json").json["tags"] == ["y", "z"]


def test_external_id_without_add_means_add(run):
    run("user add alice --external-id ldap/1")
    assert run("user set alice --external-id hr/2 --json").json["external_ids"] == {"hr": "2", "ldap": "1"}


def test_an_id_may_be_taken_away_by_its_system(run):
    run("user add alice --external-id ldap/1 --external-id hr/2")
    assert run("user set alice --remove-external-id LDAP --json").json["external_ids"] == {"hr": "2"}
    assert run("user set alice --remove-external-id hr/3 --json").json["outcome"] == "unchanged"
    assert run("user set alice --remove-external-id HR/2 --json").json["external_ids"] == {}


def test_an_id_may_hold_slashes_and_colons(run):
    run("user add alice --external-id 'scim/urn:a/b c'")
    assert run(["user", "show", "ext:scim/urn:a/b c", "--json"]).json["external_ids"] == {"scim": "urn:a/b c"}


NO_ITEMS = [
    "--add-tag ''",
    "--add-tag 'a,b'",
    "--add-tag 'a;b'",
    "--add-tag " + "x" * 65,
    "--external-id ldap",
    "--external-id ldap/",
    "--external-id /4711",
    "--external-id 'my ldap/1'",
    "--external-id ldap/" + "x" * 256,
    "--external-id ldap/1 --external-id ldap/2",
    "--add-address a@x.com",
    "--add-address email:nonsense",
    "--add-address phone:12",
    "--add-address fax:+8613800138000",
]


def test_what_a_list_cannot_hold_is_refused(run):
    run("user add bob")
    for given in NO_ITEMS:
        for line in ("user add alice", "user set bob"):
            assert run(f"{line} {given} --json", exit=6).out == "", given
    assert run("user list -o count").out == "1\n"


def test_tags_have_a_command_of_their_own(run):
    run("user add alice --add-tag a")
    assert run("user tag alice --add-tag b --remove-tag a").out == "user alice: updated (tags)\n"
    assert run("user tag alice --add-tag b").out == "user alice: unchanged\n"
    assert run("user tag alice --set-tag z --json").json["changes"] == {"tags": [["b"], ["z"]]}
    assert [e["action"] for e in run("user history alice --json").json] == ["user.add", "user.tag", "user.tag"]


# -- what is asked for, by whom, of which version ----------------------------------------------------------------------


def test_asking_for_no_change_is_a_wrong_command_line(run):
    run("user add alice")
    for line in (
        "user set alice",
        "user tag alice",
        "user set alice --reason because",
        "user set --status active --yes",
    ):
        assert run(f"{line} --json", exit=2).error["code"] == "usage"


def test_nobody_named_is_a_wrong_command_line(run):
    run("user add alice")
    for verb in (
        "suspend",
        "activate",
        "close --yes",
        "reopen",
        "remove --yes",
        "set --gender male",
        "tag --add-tag x",
    ):
        assert run(f"user {verb} --json", exit=2).error["code"] == "usage"
    assert run("user show alice --json").json["version"] == 1


@pytest.mark.parametrize(
    "line",
    [
        "user set alice --gender male",
        "user rename alice bob",
        "user suspend alice",
        "user activate alice",
        "user close alice --yes",
        "user tag alice --add-tag x",
        "user note alice --text hello",
        "user remove alice --yes",
    ],
)
def test_a_write_can_name_the_version_it_means(run, line):
    run("user add alice")
    stale = run(f"{line} --if-version 2 --json", exit=5)
    assert stale.error["code"] == "stale_version"
    assert stale.error["details"] == {"target": "alice", "actual": 1, "expected": 2}
    assert run("user show alice --json").json["version"] == 1
    assert run(f"{line} --if-version 1 --json").json["outcome"] in ("updated", "removed", "unchanged")
    run(f"{line} --if-version 0", exit=2)


def test_reopen_can_name_the_version_it_means(run):
    run("user add alice")
    run("user close alice --yes")
    run("user reopen alice --if-version 1", exit=5)
    assert run("user reopen alice --if-version 2 --json").json["version"] == 3


def test_the_reason_stands_in_the_audit(run):
    run("user add alice --reason 'ticket 7'")
    run(["user", "set", "alice", "--gender", "male", "--reason", "two\nlines"])
    assert run("user history alice --json --jq '[.[].reason]'").out == '["ticket 7","two\\nlines"]\n'
    for bad in ("x" * 2001, "a\x1bb", "\udcff"):
        assert run(["user", "set", "alice", "--gender", "male", "--reason", bad], exit=6).out == ""


def test_whose_wish_it_was_stands_in_the_audit(run):
    run("user add alice")
    run("user set alice --gender male --requested-by self")
    assert run("user history alice --json").json[1]["facts"]["requested_by"] == "self"
    for bad in ("x" * 201, "a\x1bb", "\udcff"):
        assert run(["user", "set", "alice", "--gender", "female", "--requested-by", bad], exit=6).out == ""
