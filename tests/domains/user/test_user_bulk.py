"""Many users at once: named, selected, read from a file; each in a savepoint, confirmed by their number."""

from __future__ import annotations

import os
import threading

import pytest

VERBS = {
    "set --gender female": ("user.set", "updated"),
    "suspend": ("user.suspend", "updated"),
    "activate": ("user.activate", "unchanged"),
    "close": ("user.close", "updated"),
    "reopen": ("user.reopen", "unchanged"),
    "remove": ("user.remove", "removed"),
    "tag --add-tag x": ("user.tag", "updated"),
}


def make(run, *names):
    for name in names:
        run(f"user add {name}")


def outcomes(answer):
    return [one["outcome"] for one in answer.json]


def statuses(run):
    return run("user list --jq '[.[].status]'").out.strip()


# -- whom --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_every_bulk_verb_takes_many_and_says_what_became_of_each(run, verb):
    make(run, "alice", "bob")
    answer = run(f"user {verb} alice nobody bob id:1 --yes --json", exit=7)
    outcome = VERBS[verb][1]
    assert outcomes(answer) == [outcome, "refused", outcome]
    assert answer.json[1]["name"] == "nobody"
    assert answer.json[1]["error"]["code"] == "user.not_found"
    assert answer.err == ""
    assert run("audit verify --state --json").json["holds"] is True


def test_refused_ones_are_named_and_the_rest_is_done(run):
    make(run, "alice", "bob", "carol")
    run("user close bob --yes")
    answer = run("user suspend alice bob carol zoe --reason x", exit=7)
    assert answer.lines == [f"user {name}: updated (status, status_reason)" for name in ("alice", "carol")]
    assert "error: bob is closed, and cannot be suspended.\n" in answer.err
    assert "error: There is no user zoe.\n" in answer.err
    assert statuses(run) == '["suspended","closed","suspended"]'
    actions = [(e["action"], e["outcome"]) for e in run("audit list --json").json]
    assert actions.count(("user.suspend", "ok")) == 2
    assert run("audit verify --state --json").json["holds"] is True


def test_all_refused_is_the_code_of_the_first(run):
    make(run, "alice")
    run("user close alice --yes")
    assert run("user suspend zoe alice", exit=3).out == ""
    assert run("user suspend alice zoe", exit=5).out == ""
    assert [one["error"]["exit_code"] for one in run("user suspend alice zoe --json", exit=5).json] == [5, 3]


def test_what_one_of_many_wrote_before_it_was_refused_is_undone(run):
    make(run, "alice", "bob")
    run("user set alice --external-id hr/1")
    answer = run("user set bob alice --email a@x.com --json", exit=7)
    assert outcomes(answer) == ["updated", "refused"]
    assert run("user list --reveal --jq '[.[].email]'").out == '[null,"a@x.com"]\n'
    assert run("user list --jq '[.[].version]'").out == "[2,2]\n"
    assert run("audit verify --state --json").json["holds"] is True


def test_one_name_gives_one_object_and_more_an_array_also_where_they_are_the_same(run):
    make(run, "alice")
    assert run("user suspend alice --json").json["outcome"] == "updated"
    assert outcomes(run("user activate alice id:1 --json")) == ["updated"]
    assert outcomes(run("user suspend - --yes --json", stdin="alice\n")) == ["updated"]
    assert outcomes(run("user activate --status suspended --yes --json")) == ["updated"]


@pytest.mark.parametrize(
    ("selectors", "meant"),
    [
        ("--status suspended", ["bob"]),
        ("--status active --status suspended", ["alice", "bob", "carol"]),
        ("--tag vip", ["alice", "bob"]),
        ("--tag vip --tag eu", ["bob"]),
        ("--search ali", ["alice"]),
        ("--created-after 2000-01-01", ["alice", "bob", "carol"]),
        ("--status suspended alice", ["alice", "bob"]),
        ("alice --tag vip", ["alice", "bob"]),
        ("--tag none", []),
        ("--tag ''", []),
    ],
)
def test_selectors_choose_whom(run, selectors, meant):
    make(run, "alice", "bob", "carol")
    run("user tag alice bob --add-tag vip")
    run("user tag bob --add-tag eu")
    run("user suspend bob")
    answer = run(f"user tag --add-tag seen {selectors} --yes --json")
    assert sorted(one["username"] for one in answer.json) == meant
    assert run("user list --tag seen --jq .[].username").lines == meant


def test_nobody_selected_is_said(run):
    make(run, "alice")
    answer = run("user close --tag none")
    assert (answer.out, answer.err) == ("", "nobody is meant: no user fits\n")
    assert run("user close --tag none -q").err == ""
    assert run("user close --tag none --json").out == "[]\n"


# -- from a file -------------------------------------------------------------------------------------------------------


def test_a_file_names_one_user_per_line(run, tmp_path):
    make(run, "alice", "bob", "carol", "张伟")
    listed = tmp_path / "users.txt"
    listed.write_bytes("\ufeffalice\r\n\r\n  bob  \nid:3\n\n张伟\nalice\nzoe".encode())
    answer = run(f"user suspend --from-file {listed} --yes --json", exit=7)
    assert outcomes(answer) == ["updated"] * 4 + ["refused"]
    back = run("user activate --from-file - --yes --json", stdin=listed.read_bytes(), exit=7)
    assert outcomes(back) == ["updated"] * 4 + ["refused"]
    both = run("user suspend - --from-file - alice --yes --json", stdin=b"bob\n")
    assert sorted(one["username"] for one in both.json) == ["alice", "bob"]


def test_a_relative_path_is_read_from_where_the_caller_is(run, tmp_path):
    make(run, "alice")
    (tmp_path / "u").write_text("alice\n")
    assert outcomes(run("user suspend --from-file u --yes --json", cwd=tmp_path)) == ["updated"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"alice\n\xff\xfe\n", "line 2: it is not UTF-8"),
        ("alice\n".encode("utf-16"), "line 1: it is not UTF-8"),
        (b"alice\nb\x00b\n", "line 2: U+0000"),
        (b"alice\nb\x1b[31m\n", "line 2: U+001B"),
        (b"alice\n" + b"x" * 5000 + b"\n", "line 2: it is too long"),
    ],
)
def test_a_file_that_is_no_list_of_names_is_refused_whole(run, tmp_path, content, problem):
    make(run, "alice")
    listed = tmp_path / "users.txt"
    listed.write_bytes(content)
    answer = run(f"user suspend --from-file {listed} --yes", exit=6)
    assert problem in answer.err
    assert run("user suspend - --yes", stdin=content, exit=6).out == ""
    assert statuses(run) == '["active"]'


def test_what_cannot_be_read_is_said(run, tmp_path):
    make(run, "alice")
    assert run(f"user suspend --from-file {tmp_path}/none --yes --json", exit=3).error["code"] == "file.not_found"
    assert run(f"user suspend --from-file {tmp_path} --yes --json", exit=8).error["code"] == "file.unreadable"
    assert (
        run(["user", "suspend", "--from-file", "a\x00b", "--yes", "--json"], exit=3).error["code"] == "file.not_found"
    )
    assert run(["user", "suspend", "--from-file", "\udcff", "--yes"], exit=3).out == ""
    assert run("user suspend --from-file /dev/null --yes").err == "nobody is meant: no user fits\n"


def test_what_never_ends_is_not_read_for_ever(run, monkeypatch):
    monkeypatch.setattr("usermgmt.kernel.context.LONGEST_INPUT", 1000)
    make(run, "alice")
    assert "1000" in run("user suspend --from-file /dev/zero --yes", exit=6).err
    assert "1000" in run("user note alice --text -", stdin="x" * 1001, exit=6).err
    assert run("user note alice --text -", stdin="x" * 1000).out


def test_a_pipe_is_read_once_and_no_lock_waits_for_it(run, tmp_path):
    make(run, "alice", "bob")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    written = threading.Event()

    def feed():
        with pipe.open("wb") as stream:
            stream.write(b"alice\n")
            stream.flush()
            # another writer is not held up by one who waits for the rest of the list
            run("user suspend bob")
            written.set()

    feeder = threading.Thread(target=feed)
    feeder.start()
    asked = run(f"user close --from-file {pipe} --json", tty=True, stdin="y\n")
    feeder.join()
    assert written.is_set()
    assert outcomes(asked) == ["updated"]
    assert statuses(run) == '["closed","suspended"]'


def test_ten_thousand_lines_are_one_run(run):
    make(run, "alice", "bob")
    lines = "".join(f"nobody{n}\n" for n in range(2000)) + "alice\n" * 8000 + "bob\n"
    answer = run("user suspend - --yes -o count", stdin=lines, exit=7)
    assert answer.out == "2002\n"
    assert answer.err.count("error: There is no user") == 2000
    assert statuses(run) == '["suspended","suspended"]'


def test_two_hundred_selectors_and_names(run):
    make(run, "alice", "bob")
    tags = " ".join(f"--add-tag t{n}" for n in range(100))
    run(f"user tag alice {tags}")
    selected = " ".join(f"--tag t{n}" for n in range(100)) + " --status active" * 100
    assert run(f"user list {selected} -o ids").out == "id:1\n"
    assert outcomes(run(f"user suspend {selected} --yes --json")) == ["updated"]
    named = " ".join(["alice", "bob", *(f"n{n}" for n in range(200))])
    assert len(run(f"user suspend {named} --yes --json", exit=7).json) == 202


# -- confirmation ------------------------------------------------------------------------------------------------------


def test_one_or_some_by_name_need_no_confirmation_unless_it_is_grave(run):
    names = " ".join(f"u{n}" for n in range(11))
    make(run, *names.split())
    assert len(run("user suspend u0 u1 u2 --json").json) == 3
    for verb in ("close", "remove"):
        refused = run(f"user {verb} u0 --json", exit=9)
        assert (refused.out, refused.error["code"]) == ("", "confirmation.needed")
        assert "--yes" in refused.error["hint"]
    assert run(f"user activate {names} --json", exit=9).error["code"] == "confirmation.needed"
    assert len(run(f"user activate {names} --yes --json").json) == 11


@pytest.mark.parametrize("verb", VERBS)
def test_whoever_is_not_named_needs_a_confirmation(run, verb):
    make(run, "alice")
    before = run("user show alice --json").data
    for whom in ("--search alice", "-", "--from-file -"):
        assert run(f"user {verb} {whom} --json", stdin="alice\n", exit=9).out == ""
        assert run(f"user {verb} {whom} --no-input --json", stdin="alice\n", tty=True, exit=9).out == ""
    assert run("user show alice --json").data == before
    run(f"user {verb} - --yes", stdin="alice\n")


def test_a_person_is_asked(run):
    make(run, "alice", "bob")
    for answer in (b"n\n", b"\n", b"", b"yep\n", b"\xff\n"):
        said = run("user close --status active", tty=True, stdin=answer, exit=9)
        assert said.out == ""
        assert said.err.startswith("Close 2 accounts? [y/N] ")
        assert "nothing was changed" in said.err
        assert statuses(run) == '["active","active"]'
    for answer in ("y\n", "YES\n", "是\n", "ｙ\n"):
        said = run("user close --status active", tty=True, stdin=answer)
        assert said.err == "Close 2 accounts? [y/N] "
        assert statuses(run) == '["closed","closed"]'
        run("user reopen alice bob")


def test_nobody_is_asked_where_nothing_is_to_be_done_or_only_rehearsed(run):
    make(run, "alice")
    assert run("user close --tag none", tty=True, stdin="").out == ""
    assert run("user close nobody", tty=True, stdin="", exit=3).out == ""
    assert outcomes(run("user close --status active --dry-run --json")) == ["updated"]
    assert "[y/N]" not in run("user remove alice --dry-run", tty=True, stdin="").err
    assert statuses(run) == '["active"]'


def test_closing_or_removing_more_than_ten_needs_their_number(run):
    make(run, *(f"u{n}" for n in range(11)))
    for verb in ("close", "remove"):
        error = run(f"user {verb} --status active --yes --json", exit=9).error
        assert error["hint"] == "pass --confirm-count 11"
        for wrong in (0, 10, 12):
            error = run(f"user {verb} --status active --confirm-count {wrong} --json", exit=5).error
            assert error["code"] == "conflict"
            assert "11" in error["message"]
        assert run(f"user {verb} --status active --confirm-count -1", exit=2).out == ""
    assert len(run("user suspend --status active --yes --json").json) == 11
    assert len(run("user close --status suspended --confirm-count 11 --json").json) == 11
    assert len(run("user remove --status closed --json", tty=True, stdin="y\n").json) == 11


def test_ten_are_closed_with_yes(run):
    make(run, *(f"u{n}" for n in range(10)))
    assert len(run("user close --status active --yes --json").json) == 10


def test_a_number_that_fits_no_more_is_a_conflict_also_for_one(run):
    make(run, "alice")
    run("user close alice --confirm-count 2", exit=5)
    run("user close alice --confirm-count 1")


def test_a_refused_or_declined_run_leaves_no_change_behind(run):
    make(run, "alice", "bob")
    before = len(run("audit list --json").json)
    run("user close --status active", exit=9)
    run("user close --status active", tty=True, stdin="n\n", exit=9)
    assert len(run("audit list --json").json) == before


# -- rehearsal ---------------------------------------------------------------------------------------------------------


def rows(run):
    tables = ["user", "user_tag", "user_external_id", "user_address", "user_former_name", "user_note"]
    tables += ["audit_entry", "audit_pii", "audit_head", "audit_denial"]
    return {name: sorted(map(repr, run.sql(f'SELECT * FROM "{name}"'))) for name in tables}


WRITES = [
    "add dave --email d@x.com --add-tag t",
    "ensure dave",
    "ensure alice --gender male",
    "set alice --gender male --add-tag y --external-id hr/9 --add-address email:z@x.com",
    "rename alice ally",
    "suspend alice bob nobody",
    "activate carol",
    "close alice",
    "close --status active",
    "reopen dora",
    "remove bob",
    "tag --tag t --add-tag u",
    "note alice --text hello",
]


@pytest.mark.parametrize("line", WRITES)
def test_a_rehearsal_says_the_same_and_leaves_every_row_alone(run, line):
    make(run, "alice", "bob", "carol", "dora")
    run("user tag alice bob --add-tag t")
    run("user suspend carol")
    run("user close dora --yes")
    confirm = [] if line.split()[0] in ("add", "ensure", "rename", "note") else ["--yes"]
    argv = ["user", *line.split(), *confirm, "--reason", "why", "--json"]
    before = rows(run)
    data = run.path.read_bytes() if run.engine == "sqlite" else b""
    code = 7 if "nobody" in line else 0
    rehearsed = run([*argv, "--dry-run"], exit=code).json
    words = run([*(word for word in argv if word != "--json"), "-n"], exit=code).out
    assert words.count("(rehearsal: nothing was saved)") == words.count("\n") > 0
    assert rows(run) == before
    if run.engine == "sqlite":
        assert run.path.read_bytes() == data
        assert not run.path.with_name("store.db-wal").exists() or not run.path.with_name("store.db-wal").read_bytes()
    done = run(argv, exit=code).json
    assert rows(run) != before
    for one, other in zip(*(x if isinstance(x, list) else [x] for x in (rehearsed, done)), strict=True):
        assert one["outcome"] == other["outcome"]
        if one["outcome"] != "refused":
            assert one["dry_run"] is True
            assert "change_id" not in one
            assert {k for k in one if k != "dry_run"} == {k for k in other if k != "change_id"}
            if one["outcome"] == "created":
                assert (one["id"], one["uid"]) == (None, None)
            else:
                assert (one["id"], one["username"], one.get("changes", {}).keys()) == (
                    other["id"],
                    other["username"],
                    other.get("changes", {}).keys(),
                )


def test_a_rehearsal_is_refused_as_the_real_thing_is(run):
    make(run, "alice")
    for line, code in (
        ("add alice", 5),
        ("add a1ice", 6),
        ("set nobody --gender male", 3),
        ("activate alice --if-version 9", 5),
    ):
        real, dry = run(f"user {line} --json", exit=code), run(f"user {line} --json --dry-run", exit=code)
        assert (real.out, real.err) == (dry.out, dry.err)
    refused = [e for e in run("audit list --json").json if e["outcome"] == "failed"]
    assert len(refused) == 3
