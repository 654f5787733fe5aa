"""Users at the command line: added, ensured, found, renamed, suspended, closed, reopened, removed, noted, told of."""

from __future__ import annotations

import os

import pytest

EMPTY = {
    "display_name": None,
    "full_name": None,
    "kind": "person",
    "status": "active",
    "active": True,
    "cause": None,
    "email": None,
    "phone": None,
    "gender": None,
    "birth_date": None,
    "age": None,
    "occupation": None,
    "locale": None,
    "time_zone": None,
    "tags": [],
    "external_ids": {},
    "addresses": [],
    "valid_from": None,
    "valid_until": None,
    "email_verified_at": None,
    "phone_verified_at": None,
    "status_reason": None,
    "managed_by": None,
    "version": 1,
}


def holds(run):
    assert run("audit verify --state --json").json["holds"] is True


def entries(run, user):
    return [(e["action"], e["outcome"]) for e in run(f"user history {user} --json").json]


# -- add ---------------------------------------------------------------------------------------------------------------


def test_a_user_is_added_and_shown(run):
    assert (
        run("user add alice --email Alice@Example.com --phone 13800138000 --add-tag vip").out == "user alice: created\n"
    )
    shown = run("user show alice --json --reveal").json
    assert shown["email"] == "Alice@example.com"
    assert shown["phone"] == "+8613800138000"
    assert shown["tags"] == ["vip"]
    assert (shown["status"], shown["active"], shown["version"]) == ("active", True, 1)


def test_a_bare_name_is_enough_and_every_field_is_there(run):
    made = run("user add alice --json").json
    assert made.pop("outcome") == "created"
    assert {name: made[name] for name in EMPTY} == EMPTY
    assert made["created_at"] == made["updated_at"] == made["status_at"]
    assert len(made["change_id"]) == len(made["uid"]) == 36
    shown = run("user show alice --json").json
    assert {**shown, "change_id": made["change_id"]} == {**made, "superior": None, "former_names": [], "notes": []}
    holds(run)


def test_the_id_is_the_answer_where_ids_are_asked_for_and_q_says_nothing(run):
    assert run("user add alice -o ids").out == "id:1\n"
    assert run("user add bob -q").out == ""
    assert run("user add alice -q", exit=5).err.startswith("error: ")
    assert run("user list -o ids").lines == ["id:1", "id:2"]
    assert run("user show id:2 --json --jq .username").out == "bob\n"


def test_adding_twice_is_a_conflict_and_leaves_a_failed_entry(run):
    run("user add alice")
    again = run("user add alice --json", exit=5)
    assert again.error["code"] == "user.exists"
    assert "--if-exists" in again.error["hint"]
    assert again.out == ""
    found = run("audit list --json").json
    assert [(e["action"], e["outcome"]) for e in found[-2:]] == [("user.add", "ok"), ("user.add", "failed")]


@pytest.mark.parametrize("name", ["ALICE", "Alice", "ａｌｉｃｅ"])
def test_a_name_is_the_same_in_any_case_and_width(run, name):
    run("user add alice")
    assert run(f"user add {name} --json", exit=5).error["code"] == "user.exists"
    assert run(f"user show {name} --json").json["username"] == "alice"


def test_what_to_do_about_a_user_who_is_there_is_said_by_if_exists(run):
    run("user add alice --occupation nurse --add-tag a")
    assert run("user add alice --occupation clerk --if-exists skip --json").json["outcome"] == "unchanged"
    assert run("user show alice --json").json["occupation"] == "nurse"
    changed = run("user add alice --occupation clerk --add-tag b --if-exists update --json").json
    assert changed["outcome"] == "updated"
    assert changed["changes"] == {"occupation": ["nurse", "clerk"], "tags": [["a"], ["a", "b"]]}
    assert run("user add alice --occupation clerk --if-exists update --json").json["outcome"] == "unchanged"
    assert run("user add alice --if-exists fail", exit=5).out == ""
    assert run("user add alice --if-exists nonsense --json", exit=2).error["code"] == "usage.value"


def test_updating_one_who_is_there_keeps_the_name_as_it_was_written(run):
    run("user add alice")
    assert run("user add ALICE --occupation clerk --if-exists update --json").json["username"] == "alice"
    assert run("user show alice --json").json["former_names"] == []


def test_ensure_makes_then_mends_then_leaves_alone(run):
    line = "user ensure alice --email a@x.com --phone +8613800138000 --add-tag vip --external-id ldap/7 --kind service"
    assert run(line).out == "user alice: created\n"
    assert run(line).out == "user alice: unchanged\n"
    assert run(f"{line} --locale zh-CN").out == "user alice: updated (locale)\n"
    second = run(line + " --json").json
    assert (second["outcome"], second["version"], second["locale"]) == ("unchanged", 2, "zh-CN")
    assert "change_id" not in second
    assert entries(run, "alice") == [("user.add", "ok"), ("user.set", "ok")]
    holds(run)


# -- who is there ------------------------------------------------------------------------------------------------------


def test_exists_answers_by_the_exit_code_and_says_nothing(run):
    run("user add alice --email alice@x.com")
    for word in ("alice", "id:1", "email:alice@x.com", "alice@x.com"):
        yes = run(f"user exists {word}")
        assert (yes.out, yes.err) == ("", "")
    no = run("user exists alcie", exit=3)
    assert (no.out, no.err) == ("", "")


def test_exists_says_more_where_a_format_is_asked_for(run):
    run("user add alice")
    assert run("user exists alice --json").json == {"exists": True, "id": 1, "username": "alice"}
    assert run("user exists bob --json", exit=3).json == {"exists": False, "id": None, "username": "bob"}
    assert run("user exists alice -o tsv").out == "exists\ttrue\nid\t1\nusername\talice\n"
    assert run("user exists alice -o ids").out == "id:1\n"
    assert run("user exists bob -o ids", exit=3).out == ""
    assert run("user exists alice -o count").out == "1\n"
    assert run("user exists bob -o count", exit=3).out == "0\n"
    assert run("user exists alice --jq .exists").out == "true\n"
    assert run("user exists bob --fields exists -o csv", exit=3).out == "exists\nfalse\n"


def test_a_user_is_found_by_every_identifier(run):
    made = run("user add alice --email Alice@X.com --phone 13800138000 --external-id ldap/4711 --json").json
    for word in (
        "alice",
        "username:ALICE",
        "id:1",
        f"uid:{made['uid']}",
        f"uid:{made['uid'].upper()}",
        "email:ALICE@x.com",
        "alice@x.com",
        "phone:13800138000",
        "phone:+86 138 0013 8000",
        "+8613800138000",
        "ext:ldap/4711",
        "ext:LDAP/4711",
    ):
        assert run(["user", "show", word, "--json"]).json["id"] == 1, word


NOBODY = [
    "bob",
    "id:2",
    "id:0",
    "id:-1",
    "id:",
    "id:99999999999999999999999",
    "id:１",
    "uid:x",
    "email:bob@x.com",
    "email:nonsense",
    "bob@x.com",
    "phone:12",
    "+1",
    "ext:ldap",
    "ext:ldap/4712",
    "ext:/",
    "username:",
    "nobody:here",
    "",
    " ",
    "a b",
    "\udcff",
    "id:\udcff",
    "uid:\udcff",
    "ext:ldap/\udcff",
    "ext:ldap/\x00",
    "x" * 5000,
    "'; DROP TABLE user; --",
]


def test_who_is_not_there_is_3_and_one_line(run):
    run("user add alice --external-id ldap/4711")
    for word in NOBODY:
        answer = run(["user", "show", word, "--json"], exit=3)
        assert answer.out == ""
        assert answer.error["code"] == "user.not_found"
        assert answer.error["hint"]
        assert "error: " in run(["user", "show", word], exit=3).err


def test_the_nearest_name_is_offered(run):
    run("user add alice --phone 13800138000")
    for name in ("Bob", "张伟", "alice.smith-2"):
        run(f"user add {name}")
    for typed, meant in (
        ("alcie", "alice"),
        ("alic", "alice"),
        ("lalice", "alice"),
        ("ALCIE", "alice"),
        ("username:alcie", "alice"),
        ("bpb", "Bob"),
        ("张伟伟", "张伟"),
        ("2", "id:2"),
        ("13800138000", "phone:13800138000"),
        ("alice.smit", "alice.smith-2"),
    ):
        error = run(f"user show {typed} --json", exit=3).error
        assert error["details"]["near"] == meant
        assert meant in error["hint"]
        assert run(f"user show {meant}").out


def test_the_nearest_name_is_found_among_many(run):
    run(["user", "add", "zebra"])
    for n in range(60):
        run(f"user add user{n:03}")
    assert run("user show zzebra --json", exit=3).error["details"]["near"] == "zebra"
    assert run("user show usr042 --json", exit=3).error["details"]["near"] == "user042"
    assert "near" not in run("user show qqqqqqqq --json", exit=3).error["details"]


def test_what_stands_before_a_colon_is_explained(run):
    assert "ext:" in run("user show mail:a@x.com --json", exit=3).error["hint"]


def test_a_word_that_is_one_users_name_and_anothers_address_is_ambiguous(run):
    run("user add bob@x.com")
    run("user add carol --email bob@x.com")
    error = run("user show bob@x.com --json", exit=5).error
    assert error["code"] == "user.ambiguous"
    for word, name in (("username:bob@x.com", "bob@x.com"), ("email:bob@x.com", "carol")):
        assert word in error["hint"]
        assert run(f"user show {word} --json").json["username"] == name
    assert run("user exists bob@x.com", exit=5).out == ""


def test_a_word_that_is_ones_own_name_and_address_is_not(run):
    run("user add bob@x.com --email bob@x.com")
    assert run("user show bob@x.com --json").json["id"] == 1


# -- rename ------------------------------------------------------------------------------------------------------------


def test_a_former_name_leads_to_the_user_and_stays_reserved(run):
    run("user add alice")
    renamed = run('user rename alice alice.smith --reason "married" --json').json
    assert (renamed["outcome"], renamed["username"], renamed["version"]) == ("updated", "alice.smith", 2)
    assert renamed["changes"] == {"username": ["alice", "alice.smith"], "former_names": [[], ["alice"]]}
    assert run("user show alice.smith --json").json["former_names"] == ["alice"]
    error = run("user show alice --json", exit=3).error
    assert (error["code"], error["details"]["now"]) == ("user.renamed", "alice.smith")
    assert run("user show username:ALICE --json", exit=3).error["code"] == "user.renamed"
    for line in ("user add alice", "user ensure alice"):
        error = run(f"{line} --json", exit=5).error
        assert error["code"] == "user.name_reserved"
        assert "alice.smith" in error["message"]
    assert entries(run, "alice") == entries(run, "alice.smith")
    holds(run)


def test_nobody_else_gets_a_former_name_and_its_owner_gets_it_back(run):
    run("user add alice")
    run("user add bob")
    run("user rename alice ally")
    assert run("user rename bob alice --json", exit=5).error["code"] == "user.name_reserved"
    run("user rename ally alice")
    assert run("user show alice --json").json["former_names"] == ["ally"]
    assert run("user show ally --json", exit=3).error["code"] == "user.renamed"
    holds(run)


def test_renaming_to_a_name_that_is_taken_is_a_conflict(run):
    run("user add alice")
    run("user add bob")
    error = run("user rename alice BOB --json", exit=5).error
    assert error["code"] == "user.exists"
    assert "--if-exists" not in error["hint"]


def test_renaming_to_the_same_name_changes_nothing_and_to_another_case_changes_only_that(run):
    run("user add alice")
    assert run("user rename alice alice --json").json["outcome"] == "unchanged"
    changed = run("user rename alice Alice --json").json
    assert (changed["outcome"], changed["username"]) == ("updated", "Alice")
    assert run("user show alice --json").json["former_names"] == []


def test_what_no_username_may_be_is_refused(run):
    run("user add bob")
    names = ["-x", "+x", "a:b", "a/b", "a,b", "a'b", 'a"b', "a b", "", "x" * 129, "a\x1bb", "\udcff", "."]
    for line in (["user", "add", "--"], ["user", "ensure", "--"], ["user", "rename", "bob", "--"]):
        for name in names:
            answer = run([*line, name], exit=6)
            assert answer.out == ""
            assert "error: username: " in answer.err
    assert run("user list -o count").out == "1\n"


# -- names that look alike ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "new"), [("alice", "аlice"), ("alice", "a1ice"), ("mike", "rnike"), ("scope", "ѕсоре")]
)
def test_a_name_that_can_be_mistaken_is_refused_unless_a_reason_is_given(run, there, new):
    run(f"user add {there}")
    run("user add other")
    for line in (f"user add {new}", f"user ensure {new}", f"user rename other {new}"):
        error = run(f"{line} --json", exit=6).error
        assert error["code"] == "username.confusable"
        assert "--allow-confusable" in error["hint"]
        assert run(f"{line} --allow-confusable", exit=6).err.startswith("error: --allow-confusable: ")
    assert run(f"user add {new} --allow-confusable --reason checked --json").json["outcome"] == "created"
    assert run(f"user history {new} --json --jq '.[].reason'").out == "checked\n"


@pytest.mark.parametrize("name", ["张Alice", "李雷", "アリス", "аня", "zoë", "alice2"])
def test_mixed_han_and_latin_is_normal_and_so_is_any_one_script(run, name):
    run("user add alice")
    assert run(f"user add {name} --json").json["username"] == name


def test_a_former_name_can_be_mistaken_too_but_not_by_its_owner(run):
    run("user add alice")
    run("user rename alice bob")
    assert run("user add a1ice --json", exit=6).error["code"] == "username.confusable"
    assert run("user rename bob a1ice --json").json["outcome"] == "updated"


# -- status ------------------------------------------------------------------------------------------------------------

MOVES = {
    "suspend": ("suspended", {"active", "pending"}),
    "activate": ("active", {"pending", "suspended"}),
    "close --yes": ("closed", {"pending", "active", "suspended"}),
    "reopen": ("active", {"closed"}),
}


@pytest.mark.parametrize("status", ["pending", "active", "suspended", "closed", "erased"])
@pytest.mark.parametrize("verb", MOVES)
def test_every_move_from_every_status(run, verb, status):
    run("user add alice")
    run.sql('UPDATE "user" SET status = ?', status)
    target, sources = MOVES[verb]
    if status == target:
        assert run(f"user {verb} alice --json").json["outcome"] == "unchanged"
    elif status in sources:
        moved = run(f"user {verb} alice --reason because --json").json
        assert (moved["outcome"], moved["status"], moved["status_reason"]) == ("updated", target, "because")
        assert moved["cause"] == (None if target == "active" else target)
        assert moved["active"] is (target == "active")
        assert moved["changes"]["status"] == [status, target]
        assert run(f"user {verb} alice --json").json["outcome"] == "unchanged"
    else:
        error = run(f"user {verb} alice --json", exit=5).error
        assert error["code"] == "user.transition"
        assert status in error["message"]
        if status != "erased":
            assert error["hint"].startswith("usermgmt user ")
            run([*error["hint"].split()[1:]])


def test_a_status_changes_when_and_why(run):
    run("user add alice")
    before = run("user show alice --json").json
    run("user suspend alice --reason chargeback")
    after = run("user show alice --json").json
    assert after["status_reason"] == "chargeback"
    assert after["status_at"] == after["updated_at"] >= before["status_at"]
    run("user set alice --occupation clerk")
    assert run("user show alice --json").json["status_at"] == after["status_at"]
    run("user activate alice")
    assert run("user show alice --json").json["status_reason"] is None
    assert entries(run, "alice") == [(f"user.{a}", "ok") for a in ("add", "suspend", "set", "activate")]


def test_an_erased_user_is_not_changed(run):
    run("user add alice")
    run.sql("UPDATE \"user\" SET status = 'erased'")
    assert run("user set alice --occupation clerk --json", exit=5).error["code"] == "user.transition"


@pytest.mark.parametrize("verb", ["suspend", "close --yes", "remove --yes"])
def test_the_account_through_which_one_acts_is_safe(run, verb):
    run(f"user add me --external-id os/{os.getuid()}")
    run("user add other --external-id os/12345")
    error = run(f"user {verb} me --json", exit=4).error
    assert error["code"] == "user.own_account"
    assert run("user show me --json").json["status"] == "active"
    assert entries(run, "me")[-1] == (f"user.{verb.split()[0]}", "denied")
    assert run(f"user {verb} other --json").json["outcome"] in ("updated", "removed")
    both = run(f"user {verb} me id:1 --json", exit=4).json
    assert [one["outcome"] for one in both] == ["refused"]


# -- remove ------------------------------------------------------------------------------------------------------------


def test_a_removed_user_is_gone_and_the_name_is_free(run):
    run("user add alice --email a@x.com --phone 13800138000 --external-id l/1 --add-tag t --add-address email:b@x.com")
    run("user note alice --text hello")
    uid = run("user show alice --json").json["uid"]
    gone = run("user remove alice --yes --json").json
    assert (gone["outcome"], gone["id"], gone["uid"]) == ("removed", 1, uid)
    run("user exists alice", exit=3)
    assert run("user list --json").json == []
    assert [e["action"] for e in run(f"user history uid:{uid} --json").json] == ["user.add", "user.note", "user.remove"]
    again = run("user add alice --email a@x.com --phone 13800138000 --external-id l/1 --json").json
    assert again["id"] == 2
    assert again["uid"] != uid
    holds(run)


def test_one_with_former_names_is_closed_and_not_removed(run):
    run("user add alice")
    run("user rename alice bob")
    error = run("user remove bob --yes --json", exit=5).error
    assert error["code"] == "user.has_history"
    assert error["hint"].startswith("usermgmt user close bob")
    assert run("user show bob --json").json["status"] == "active"


def test_removing_twice_is_not_found(run):
    run("user add alice")
    run("user remove alice --yes")
    run("user remove alice --yes", exit=3)


# -- notes -------------------------------------------------------------------------------------------------------------


def test_notes_are_kept_in_order_with_who_and_when(run):
    run("user add alice")
    assert run('user note alice --text "called back"').out == "user alice: updated (note)\n"
    run("user note alice --text -", stdin="two\nlines\n\n")
    run("user note alice --text -", stdin="\ufeff备注\tтест")
    notes = run("user show alice --json").json["notes"]
    assert [note["text"] for note in notes] == ["called back", "two\nlines", "备注\tтест"]
    assert {note["actor"] for note in notes} == {"root" if os.geteuid() == 0 else "owner"}
    assert [note["at"] for note in notes] == sorted(note["at"] for note in notes)
    assert run("user show alice --json").json["version"] == 4
    assert entries(run, "alice") == [("user.add", "ok"), *[("user.note", "ok")] * 3]
    holds(run)


@pytest.mark.parametrize(
    ("text", "problem"),
    [(b"", "empty"), (b" \n\n", "empty"), (b"a\x1b[31m", "U+001B"), (b"a\x00", "U+0000"), (b"\xff", "UTF-8")],
)
def test_what_is_no_note_is_refused(run, text, problem):
    run("user add alice")
    assert problem in run("user note alice --text -", stdin=text, exit=6).err
    assert run("user show alice --json").json["notes"] == []


def test_a_note_has_10000_characters_at_most(run):
    run("user add alice")
    run("user note alice --text -", stdin="注" * 10_000)
    assert "10000" in run("user note alice --text -", stdin="注" * 10_001, exit=6).err
    assert "65536" in run("user note alice --text -", stdin="x" * 70_000, exit=6).err
    assert len(run("user show alice --json").json["notes"][0]["text"]) == 10_000


def test_a_note_needs_its_text(run):
    run("user add alice")
    assert run("user note alice --json", exit=2).error["code"] == "usage.missing"


# -- history -----------------------------------------------------------------------------------------------------------


def test_history_tells_all_that_happened_oldest_first(run):
    run("user add alice --email a@x.com")
    run("user add bob")
    run("user set alice --email b@x.com --reason moved")
    run("user set alice --email nonsense", exit=6)
    run("user set alice --gender female --if-version 9", exit=5)
    told = run("user history alice --json").json
    assert [(e["action"], e["outcome"], e["target_name"]) for e in told] == [
        ("user.add", "ok", "alice"),
        ("user.set", "ok", "alice"),
        ("user.set", "failed", "alice"),
        ("user.set", "failed", "alice"),
    ]
    assert told[1]["changes"] == {"email": ["a***@x.com", "b***@x.com"]}
    assert told[1]["reason"] == "moved"
    assert "email" in str(told[1]["masked"])
    assert [e["seq"] for e in told] == sorted(e["seq"] for e in told)
    assert run("user history alice --limit 1 -o ids").lines == [str(told[0]["seq"])]
    assert run("user history alice --json --reveal").json[1]["changes"] == {"email": ["a@x.com", "b@x.com"]}


@pytest.mark.store("--simulate --region CN")
def test_history_can_be_cut_by_time(run):
    run("user add alice --now 2026-01-01T00:00:00Z")
    run("user suspend alice --now 2026-02-01T00:00:00Z")
    run("user activate alice --now 2026-03-01T00:00:00Z")

    def actions(window):
        found = run(f"user history alice --now 2026-03-02T00:00:00Z --json {window}").json
        return [e["action"].removeprefix("user.") for e in found]

    assert actions("") == ["add", "suspend", "activate"]
    assert actions("--since 2026-02-01") == ["suspend", "activate"]
    assert actions("--until 2026-01-31") == ["add"]
    assert actions("--until 2026-02-01T00:00:00Z") == ["add"]
    assert actions("--since 2d") == ["activate"]
    assert actions("--since 2026-02-01 --until 2026-02-01") == ["suspend"]
    run("user history alice --since whenever", exit=6)


def test_history_of_nobody_is_3(run):
    run("user history alice", exit=3)
    run("user history uid:01a20741-28b8-77e2-9334-6e11971d5ac8", exit=3)
