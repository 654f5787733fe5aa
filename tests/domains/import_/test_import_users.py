"""`import users`: what becomes of a record, by what is there already and by what the caller wants."""

from __future__ import annotations

import orjson
import pytest

COUNTS = ("created", "updated", "unchanged", "skipped", "rejected", "ignored")


def load(run, text, options="", *, exit=0, suffix="csv", env=None):  # noqa: A002 - the word of the contract
    """Import ``text`` as a file; return the result, whose summary adds up."""
    path = run.home / f"given.{suffix}"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    result = run(f"import users {path} --json {options}", exit=exit, env=env)
    if result.out:
        assert result.json["read"] == sum(result.json[name] for name in COUNTS)
    return result


def counts(result):
    """The outcomes that occurred."""
    return {name: result.json[name] for name in COUNTS if result.json[name]}


def shown(run, name, *fields):
    """What a user looks like now."""
    found = run(["user", "show", name, "--json", "--reveal"]).json
    return {field: found[field] for field in fields}


def entries(run):
    """Action and target of every entry about users, oldest first."""
    rows = run.sql("SELECT action, target, change_id FROM audit_entry WHERE action NOT LIKE 'store%' ORDER BY seq")
    return [tuple(row) for row in rows if row[0] != "data.reveal"]


# -- created and unchanged ---------------------------------------------------------------------------------------------


def test_users_are_created_with_every_field(run):
    text = (
        "username,email,phone,display_name,full_name,gender,birth_date,occupation,locale,time_zone,kind,status,"
        "status_reason,tags,external_ids,addresses,valid_from,valid_until,email_verified_at,phone_verified_at,"
        "created_at,managed_by,uid\n"
        "Alice,Alice@Example.com,13800138000,Ally,张伟,女,1990-05-17,engineer,zh_CN,Asia/Shanghai,service,suspended,"
        '"spam, twice",vip;beta,"{""ldap"":""4711""}",email:b@example.com;phone:13900139000,2026-01-01,2027-01-01,'
        "2026-02-01T10:00:00Z,2026-02-02,2020-01-01,hr.toml,01890a5d-ac96-774b-bcce-b302099a8057\n"
    )
    assert counts(load(run, text)) == {"created": 1}
    found = run("user show alice --json --reveal").json
    expected = {
        "uid": "01890a5d-ac96-774b-bcce-b302099a8057",
        "username": "Alice",
        "email": "Alice@example.com",
        "phone": "+8613800138000",
        "display_name": "Ally",
        "full_name": "张伟",
        "gender": "female",
        "birth_date": "1990-05-17",
        "occupation": "engineer",
        "locale": "zh-CN",
        "time_zone": "Asia/Shanghai",
        "kind": "service",
        "status": "suspended",
        "status_reason": "spam, twice",
        "tags": ["beta", "vip"],
        "external_ids": {"ldap": "4711"},
        "addresses": ["email:b@example.com", "phone:+8613900139000"],
        "valid_from": "2026-01-01T00:00:00.000Z",
        "valid_until": "2027-01-02T00:00:00.000Z",
        "email_verified_at": "2026-02-01T10:00:00.000Z",
        "phone_verified_at": "2026-02-02T00:00:00.000Z",
        "created_at": "2020-01-01T00:00:00.000Z",
        "managed_by": "hr.toml",
        "version": 1,
    }
    assert {name: found[name] for name in expected} == expected
    run("audit verify --state")


def test_the_same_file_again_is_unchanged_and_leaves_no_entry(run):
    text = "username,email,tags\nalice,a@example.com,vip\n张伟,,\n"
    first = load(run, text)
    assert (counts(first), first.json["outcome"]) == ({"created": 2}, "created")
    before = entries(run)
    again = load(run, text)
    assert (counts(again), again.json["outcome"]) == ({"unchanged": 2}, "unchanged")
    assert entries(run) == before


def test_one_entry_for_each_changed_user_and_one_for_the_run_share_a_change_id(run):
    load(run, "username,full_name\nalice,A\nbob,B\n")
    result = load(run, "username,full_name\nalice,A\nbob,C\ncarol,D\n", "--if-exists update")
    assert counts(result) == {"created": 1, "updated": 1, "unchanged": 1}
    mine = [(action, change) for action, _target, change in entries(run) if change == result.json["run"]]
    assert sorted(action for action, _change in mine) == ["data.import", "user.add", "user.set"]
    assert f"run {result.json['run']}\n" in result.err
    body = run.sql("SELECT body FROM audit_entry WHERE action = 'data.import' ORDER BY seq DESC LIMIT 1")[0][0]
    facts = orjson.loads(body)
    assert facts["counts"] == {"created": 1, "updated": 1, "unchanged": 1, "read": 3}
    assert (facts["format"], len(facts["sha256"])) == ("csv", 16)
    assert "given" not in body
    run("audit verify --state")


def test_a_rehearsal_tells_the_same_and_saves_nothing(run):
    text = "username,email\nalice,a@example.com\nbob,nonsense\n"
    rehearsed = load(run, text, "--dry-run", exit=7)
    assert counts(rehearsed) == {"created": 1, "rejected": 1}
    assert (rehearsed.json["dry_run"], rehearsed.json["run"]) == (True, None)
    assert "change_id" not in rehearsed.json
    run("user exists alice", exit=3)
    assert entries(run) == []
    assert counts(load(run, text, exit=7)) == counts(rehearsed)


def test_empty_rows_are_ignored(run):
    assert counts(load(run, "username,email\nalice,\n,\n,\n")) == {"created": 1, "ignored": 2}


# -- there already -----------------------------------------------------------------------------------------------------


def test_what_differs_is_refused_unless_told_otherwise(run):
    run("user add alice --occupation doctor --full-name A")
    text = "username,occupation\nalice,nurse\n"
    refused = load(run, text, exit=5)
    assert (refused.error["code"], refused.error["details"]["line"]) == ("user.exists", 2)
    assert "occupation" in refused.error["message"]
    assert "nurse" not in refused.err
    assert counts(load(run, text, "--if-exists skip")) == {"skipped": 1}
    assert shown(run, "alice", "occupation", "version") == {"occupation": "doctor", "version": 1}
    assert counts(load(run, text, "--if-exists update")) == {"updated": 1}
    assert shown(run, "alice", "occupation", "full_name", "version") == {
        "occupation": "nurse",
        "full_name": "A",
        "version": 2,
    }
    for mode in ("fail", "skip", "update"):
        assert counts(load(run, text, f"--if-exists {mode}")) == {"unchanged": 1}


def test_a_record_is_matched_by_uid_then_external_id_then_username_then_email(run):
    run("user add alice --email a@example.com --external-id hr/1")
    uid = shown(run, "alice", "uid")["uid"]
    for key, value in (
        ("uid", uid.upper()),
        ("external_ids", "hr/1"),
        ("username", "ALICE"),
        ("email", "A@EXAMPLE.COM".lower()),
    ):
        assert counts(load(run, f"{key}\n{value}\n")) == {"unchanged": 1}, key
    # the uid finds the user, whatever the name says: with update it is renamed
    load(run, f"uid,username\n{uid},alicia\n", "--if-exists update")
    assert shown(run, "alicia", "uid", "former_names") == {"uid": uid, "former_names": ["alice"]}
    assert entries(run)[-2][0] == "user.rename"
    run("audit verify --state")


def test_keys_of_two_users_are_refused(run):
    run("user add alice --email a@example.com")
    run("user add bob --email b@example.com")
    refused = load(run, "username,email\nalice,b@example.com\n", "--if-exists update", exit=5)
    assert refused.error["code"] == "user.ambiguous"
    assert "alice, bob" in refused.error["message"]


def test_a_uid_never_changes(run):
    run("user add alice")
    text = "uid,username\n01890a5d-ac96-774b-bcce-b302099a8057,alice\n"
    assert load(run, text, "--if-exists update", exit=5).error["code"] == "user.uid"
    assert load(run, text, exit=5).error["code"] == "user.exists"
    assert counts(load(run, text, "--if-exists skip")) == {"skipped": 1}


def test_empty_cells_leave_alone_or_clear(run):
    run("user add alice --email a@example.com --occupation doctor --add-tag vip --external-id hr/1")
    text = "username,email,occupation,tags,external_ids\nalice,,,,\n"
    assert counts(load(run, text, "--if-exists update")) == {"unchanged": 1}
    assert counts(load(run, text, "--if-exists update --empty clears")) == {"updated": 1}
    assert shown(run, "alice", "email", "occupation", "tags", "external_ids") == {
        "email": None,
        "occupation": None,
        "tags": [],
        "external_ids": {},
    }
    refused = load(run, "username,kind\nalice,\n", "--if-exists update --empty clears", exit=6)
    assert "kind" in refused.error["message"]
    run("audit verify --state")


def test_ids_in_systems_that_the_record_does_not_name_stay(run):
    run("user add alice --external-id hr/1 --external-id ldap/2")
    load(run, "username,external_ids\nalice,hr/3\n", "--if-exists update")
    assert shown(run, "alice", "external_ids")["external_ids"] == {"hr": "3", "ldap": "2"}


def test_a_new_address_is_not_verified(run):
    run("user add alice --email a@example.com --email-verified-at 2026-01-01")
    load(run, "username,email\nalice,b@example.com\n", "--if-exists update")
    assert shown(run, "alice", "email", "email_verified_at") == {"email": "b@example.com", "email_verified_at": None}


def test_the_second_of_two_records_about_one_user_is_judged_after_the_first(run):
    assert counts(load(run, "username,email\nalice,a@example.com\nalice,a@example.com\n")) == {
        "created": 1,
        "unchanged": 1,
    }
    differing = load(run, "username,full_name\nbob,B\nBOB,C\n", exit=7)
    assert counts(differing) == {"created": 1, "rejected": 1}
    assert counts(load(run, "username,full_name\ncarol,C\ncarol,D\n", "--if-exists update")) == {
        "created": 1,
        "updated": 1,
    }
    assert shown(run, "carol", "full_name", "version") == {"full_name": "D", "version": 2}
    run("audit verify --state")


def test_an_address_that_one_record_gives_up_is_free_for_the_next(run):
    run("user add alice --email a@example.com")
    run("user add bob --email b@example.com")
    text = "username,email\nalice,c@example.com\ncarol,a@example.com\n"
    assert counts(load(run, text, "--if-exists update")) == {"created": 1, "updated": 1}
    assert shown(run, "carol", "email")["email"] == "a@example.com"
    run("audit verify --state")


def test_a_status_moves_only_where_a_command_could_move_it(run):
    load(run, "username,status\nalice,active\nbob,closed\ncarol,suspended\ndave,pending\n")
    text = "username,status\nalice,suspended\nbob,suspended\ncarol,active\ndave,pending\n"
    result = load(run, text, '--if-exists update --reason "yearly review"', exit=7)
    assert counts(result) == {"updated": 2, "rejected": 1, "unchanged": 1}
    assert result.error["code"] == "user.transition"
    assert shown(run, "alice", "status", "status_reason") == {"status": "suspended", "status_reason": "yearly review"}
    assert [action for action, _target, _change in entries(run)[-3:]] == [
        "user.suspend",
        "user.activate",
        "data.import",
    ]
    assert load(run, "username,status\neve,erased\n", exit=6).error["code"] == "user.field"
    run("audit verify --state")


def test_the_account_through_which_one_acts_is_safe(run):
    import os

    run(f"user add me --external-id os/{os.geteuid()}")
    result = load(run, "username,status\nme,closed\n", "--if-exists update", exit=4)
    assert result.error["code"] == "user.own_account"
    assert shown(run, "me", "status")["status"] == "active"


# -- names -------------------------------------------------------------------------------------------------------------


def test_former_names_are_reserved(run):
    run("user add alice")
    run("user rename alice alicia")
    refused = load(run, "username\nalice\nbob\n", exit=7)
    assert refused.error["code"] == "user.name_reserved"
    assert counts(refused) == {"created": 1, "rejected": 1}


def test_imported_former_names_are_reserved_too(run):
    text = 'username,former_names\nalicia,"{""alice"":""2026-01-01T00:00:00Z""}"\nbob,\n'
    assert counts(load(run, text)) == {"created": 2}
    assert shown(run, "alicia", "former_names")["former_names"] == ["alice"]
    assert counts(load(run, text)) == {"unchanged": 2}
    run("user add alice", exit=5)
    for name, former, code in (("carol", "bob", 5), ("dave", "alice", 5), ("eve", "eve", 6)):
        load(run, f'username,former_names\n{name},"{{""{former}"":""2026-01-01""}}"\n', exit=code)
    run("audit verify --state")


def test_names_that_imitate_another_script_are_refused_and_others_reported(run):
    report = run.home / "report.csv"
    text = "username\nalice\na1ice\n\u0430lice\n"
    result = load(run, text, f"--report {report}", exit=7)
    assert counts(result) == {"created": 2, "rejected": 1}
    assert result.error["code"] == "username.confusable"
    assert result.json["reported"] == 1
    told = [line.split(",")[1:4] for line in report.read_text().splitlines()]
    assert told == [
        ["line", "outcome", "code"],
        ["3", "reported", "username.confusable"],
        ["4", "rejected", "username.confusable"],
    ]


def test_an_override_of_likeness_needs_a_reason(run):
    text = "username\nalice\n\u0430lice\n"
    load(run, text, "--allow-confusable", exit=6)
    run("user exists alice", exit=3)
    assert counts(load(run, text, '--allow-confusable --reason "two persons"')) == {"created": 2}


# -- refused records ---------------------------------------------------------------------------------------------------


def test_refused_records_are_named_and_the_others_saved(run):
    text = "username,email,phone\nalice,a@example.com,\nbob,nonsense,\n-carol,,\ndave,,123\neve,,\n"
    result = load(run, text, exit=7)
    assert counts(result) == {"created": 2, "rejected": 3}
    told = [orjson.loads(line)["error"] for line in result.err.splitlines() if line.startswith("{")]
    assert [(error["code"], error["details"]["line"]) for error in told] == [
        ("email.invalid", 3),
        ("username.invalid", 4),
        ("phone.invalid", 5),
    ]


def test_where_all_are_refused_the_code_is_that_of_the_first(run):
    assert counts(load(run, "username\n-a\n-b\n", exit=6)) == {"rejected": 2}
    failed = run.sql("SELECT action, outcome FROM audit_entry WHERE outcome = 'failed'")
    assert [tuple(row) for row in failed] == [("import.users", "failed")]


def test_a_record_without_a_name_that_finds_nobody_is_refused(run):
    assert load(run, "email\na@example.com\n", exit=6).error["code"] == "user.field"


def test_bad_optional_fields_can_be_left_out(run):
    report = run.home / "report.csv"
    text = "username,email,phone,valid_until\nalice,nonsense,123,\nbob,,,never\n"
    result = load(run, text, f"--drop-invalid --report {report}", exit=7)
    assert counts(result) == {"created": 1, "rejected": 1}
    assert result.json["dropped"] == 2
    assert shown(run, "alice", "email", "phone") == {"email": None, "phone": None}
    told = [line.split(",")[4:7] for line in report.read_text().splitlines()[1:]]
    assert told == [
        ["2", "dropped", "email.invalid"],
        ["2", "dropped", "phone.invalid"],
        ["3", "rejected", "time.invalid"],
    ]


@pytest.mark.parametrize("chunk", ["1", "2", "5000"])
def test_stop_keeps_what_came_before_and_nothing_after(run, chunk):
    text = "username,full_name\n" + "".join(f"user-{n},x\n" for n in range(5)) + "-bad,x\nlater,x\n"
    result = load(run, text, "--on-error stop", exit=7, env={"USERMGMT_IMPORT_CHUNK": chunk})
    assert counts(result) == {"created": 5, "rejected": 1}
    assert run("user list -o count").out == "5\n"
    assert entries(run)[-1][0] == "data.import"


def test_stop_halts_at_a_conflict_as_at_a_bad_row(run):
    run("user add bob --full-name B")
    text = "username,full_name\nalice,A\nbob,C\ncarol,D\n-bad,E\n"
    result = load(run, text, "--on-error stop", exit=7)
    assert counts(result) == {"created": 1, "rejected": 1}
    run("user exists carol", exit=3)


@pytest.mark.parametrize("chunk", ["1", "5000"])
def test_rollback_is_all_or_nothing(run, chunk):
    text = "username\nalice\nbob\n-bad\ncarol\n"
    result = load(run, text, "--on-error rollback", exit=6, env={"USERMGMT_IMPORT_CHUNK": chunk})
    assert counts(result) == {"skipped": 3, "rejected": 1}
    assert result.json["rolled_back"] is True
    assert run("user list -o count").out == "0\n"
    assert [action for action, _target, _change in entries(run)] == ["import.users"]
    assert counts(load(run, "username\nalice\nbob\n", "--on-error rollback")) == {"created": 2}
    run("audit verify --state")


def test_a_run_is_committed_in_chunks(run):
    text = "username\n" + "".join(f"user-{n}\n" for n in range(7))
    result = load(run, text, env={"USERMGMT_IMPORT_CHUNK": "2"})
    assert counts(result) == {"created": 7}
    assert [action for action, _target, _change in entries(run)] == ["user.add"] * 7 + ["data.import"]
    run("audit verify --state")


def test_people_get_one_line(run):
    (run.home / "u.csv").write_text("username\nalice\n-bad\n")
    result = run(f"import users {run.home / 'u.csv'}", exit=7)
    assert result.out == "import users: created; 2 read: 1 created, 1 rejected\n"
    assert "error: line 3: username: it begins with -" in result.err
    assert run(f"import users {run.home / 'u.csv'} -q", exit=7).out == ""


@pytest.mark.corpus
def test_wordpress_users(run, corpus):
    folder = corpus / "wordpress"
    first = run(f"import users {folder / '00-users.csv'} --json")
    assert (first.json["read"], first.json["created"]) == (3, 3)
    assert "ignored columns: role\n" in first.err
    again = run(f"import users {folder / '00-users.csv'} --json")
    assert (again.json["read"], again.json["unchanged"]) == (3, 3)
    taken = run(f"import users {folder / '01-user-invalid.csv'} --json", exit=5)
    assert taken.json["rejected"] == 1
    assert run(f"import users {folder / '02-user-valid.csv'} --json").json["unchanged"] == 1


def test_names_given_up_in_another_form_are_refused(run):
    answer = load(run, '{"username": "alice", "former_names": [{"old": 1}]}\n', "--json", exit=6, suffix="ndjson")
    assert answer.error["code"] == "user.field"
