"""`audit list|show|tail`: every filter, former and removed users, masking, streaming, and what a person sees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from usermgmt.kernel.clock import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minutes):
    return Clock(NOON + timedelta(minutes=minutes))


def entries(run, options=""):
    return run(f"audit list --json {options}").json


def seqs(run, options):
    return [int(line) for line in run(f"audit list -o ids {options}").lines]


def test_the_list_is_whole_and_in_order(run):
    run("user add alice")
    run("user add bob")
    listed = entries(run)
    assert [e["seq"] for e in listed] == [1, 2, 3]
    assert [e["action"] for e in listed] == ["store.init", "user.add", "user.add"]
    assert listed[1]["target_name"] == "alice"
    assert set(listed[0]) >= {"seq", "at", "actor", "action", "target", "outcome", "reason", "changes", "change_id"}


def test_an_entry_says_what_changed_and_why(run):
    run("user add alice --occupation smith")
    run(["user", "set", "alice", "--occupation", "baker", "--reason", "new trade"])
    entry = entries(run)[-1]
    assert entry["changes"] == {"occupation": ["smith", "baker"]}
    assert entry["reason"] == "new trade"
    assert entry["via"]["command"] == "user set"
    assert entry["target"] == f"user:{run('user show alice --json').json['uid']}"


def test_time_bounds_are_half_open(run):
    for minute in (0, 1, 2):
        run(f"user add u{minute}", clock=at(minute))
    window = ["audit", "list", "-o", "ids", "--since", "2026-03-01T12:01:00Z", "--until", "2026-03-01T12:02:00Z"]
    assert run(window).lines == ["3"]
    assert run("audit list -o ids --action user.add --since 90s", clock=at(2)).lines == ["3", "4"]
    since = run(["audit", "list", "-o", "ids", "--since", "2026-03-01T12:01:00Z", "--until", "2026-03-02"]).lines
    assert since == ["3", "4"]


def test_time_bounds_find_every_entry_also_where_the_clock_was_set_back(run):
    run("user add a", clock=at(10))
    run("user add b", clock=at(0))
    run("user add c", clock=at(20))
    window = ["audit", "list", "-o", "ids", "--since", "2026-03-01T12:05:00Z", "--until", "2026-03-01T12:30:00Z"]
    assert run(window).lines == ["2", "4"]
    assert run([*window, "--action", "user.add", "--limit", "1"]).lines == ["2"]


def test_an_empty_window_is_empty(run):
    assert run("audit list --json --since 2001-01-01 --until 2001-02-01").json == []
    assert run("audit list --since yesterday", exit=6).out == ""


def test_filters_by_action_outcome_actor_and_change(run):
    run("user add alice")
    run("user add alice", exit=5)
    run("user suspend alice")
    assert seqs(run, "--action user.suspend") == [4]
    assert seqs(run, "--outcome failed") == [3]
    assert seqs(run, "--outcome ok --action user.add") == [2]
    assert seqs(run, "--outcome denied") == []
    actor = entries(run)[0]["actor"]
    assert len(seqs(run, f"--actor {actor}")) == 4
    assert seqs(run, "--actor operator:nobody") == []
    change = entries(run)[3]["change_id"]
    assert seqs(run, f"--change-id {change}") == [4]
    assert run("audit list --outcome lost", exit=2).out == ""


def test_a_target_is_any_word_for_a_user(run):
    run("user add alice --email alice@example.com --external-id ldap/7")
    run("user add bob")
    uid = run("user show alice --json").json["uid"]
    for word in (
        "alice",
        "username:alice",
        "id:1",
        f"uid:{uid}",
        f"user:{uid}",
        "email:alice@example.com",
        "ext:ldap/7",
    ):
        assert seqs(run, f"--target {word}") == [2], word
    assert seqs(run, "--target store") == [1]
    assert run("audit list --target nobody", exit=3).out == ""
    assert run("audit list --target user:nobody --json").json == []


def test_former_names_resolve(run):
    run("user add alice")
    run("user rename alice alicia")
    assert seqs(run, "--target alice") == [2, 3]
    assert seqs(run, "--target username:alice") == [2, 3]
    assert seqs(run, "--target alicia") == [2, 3]


def test_removed_users_resolve_by_uid_and_by_name(run):
    run("user add alice")
    uid = run("user show alice --json").json["uid"]
    run("user remove alice --yes")
    assert seqs(run, f"--target uid:{uid}") == [2, 3]
    assert seqs(run, "--target alice") == [2, 3]
    run("user add alice")
    # the name belongs to somebody else now; the uid still tells
    assert seqs(run, "--target alice") == [4]
    run("user remove alice --yes")
    assert seqs(run, "--target alice") == [2, 3, 4, 5]
    assert run("audit list --target uid:01a20753-88d2-753a-9044-dd3562f64004", exit=3).out == ""


def test_a_user_called_store_is_reached_by_its_prefix(run):
    run("user add store")
    assert seqs(run, "--target store") == [1]
    assert seqs(run, "--target username:store") == [2]


def test_personal_values_are_masked_everywhere(run):
    run("user add alice --email alice@example.com --phone 13800138000 --full-name 张伟")
    for line in ("audit list", "audit tail", "audit show 2"):
        for options in ("--json", "-o tsv", "-o csv", "-o table", "-o ndjson"):
            out = run(f"{line} {options}").out
            assert "a***@example.com" in out
            assert "alice@example.com" not in out
            assert "13800138000" not in out
            assert "张伟" not in out
    assert entries(run)[1]["masked"] == ["changes.email", "changes.full_name", "changes.phone"]


def test_the_message_of_a_refusal_is_masked_since_it_quotes(run):
    run("user add alice --email alice@example.com")
    run("user add bob --email alice@example.com", exit=5)
    entry = entries(run)[-1]
    assert entry["error"] == "user.exists"
    assert entry["facts"]["error"] == "***"
    assert "alice@example.com" not in run("audit show 3 --json").out
    assert "alice@example.com" in run("audit show 3 --json --reveal").out


def test_reveal_shows_and_leaves_an_entry_with_the_count(run):
    run("user add alice --email alice@example.com")
    shown = entries(run, "--target alice --reveal --reason check")
    assert shown[0]["changes"]["email"] == [None, "alice@example.com"]
    assert shown[0]["masked"] == []
    left = entries(run)[-1]
    assert (left["action"], left["outcome"], left["reason"]) == ("data.reveal", "ok", "check")
    assert left["facts"]["count"] == 1
    run("audit tail --limit 2 --reveal")
    assert entries(run)[-1]["facts"]["count"] == 2


def test_limit_says_how_many_there_are(run):
    run("user add alice")
    limited = run("audit list --limit 1 -o ids")
    assert limited.lines == ["1"]
    assert "1 of 2" in limited.err
    assert run("audit list --limit 1 -o ids -q").err == ""


def test_tail_shows_the_newest_oldest_first(run):
    for n in range(24):
        run(f"user add u{n}")
    assert run("audit tail -o ids -q").lines == [str(n) for n in range(6, 26)]
    assert run("audit tail --limit 2 -o ids -q").lines == ["24", "25"]
    assert run("audit tail --limit 0 -o ids -q").lines == []
    assert run("audit tail --limit 100 -o ids").err == ""


def test_show_tells_whether_entry_and_parts_hold(run):
    run("user add alice --email alice@example.com")
    first, second = run("audit show 1 --json").json, run("audit show 2 --json").json
    assert second["holds"] is True
    assert second["previous_hash"] == first["hash"]
    assert first["parts"] == []
    (part,) = second["parts"]
    assert part["state"] == "verified"
    assert part["subject"] == second["target"]
    assert part["content"]["changes"]["email"] == [None, "a***@example.com"]
    # with the salt at hand, the commitment would tell a guessed value from a wrong one
    assert "salt" not in part
    assert len(run("audit show 2 --json --reveal").json["parts"][0]["salt"]) == 64


def test_show_of_an_entry_that_was_altered(run):
    run("user add alice")
    run("user add bob")
    run.sql("UPDATE audit_pii SET body = ? WHERE seq = 2", '{"changes":{"username":[null,"mallory"]}}')
    run.sql("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 2")
    shown = run("audit show 2 --json").json
    assert shown["holds"] is False
    assert shown["parts"][0]["state"] == "altered"
    run.sql("DELETE FROM audit_pii WHERE seq = 2")
    assert run("audit show 2 --json").json["parts"][0]["state"] == "missing"


def test_show_of_no_entry(run):
    missing = run("audit show 99 --json", exit=3)
    assert missing.error["code"] == "audit.not_found"
    assert missing.error["details"] == {"seq": 99, "last": 1}
    assert run("audit show 0", exit=2).out == ""
    assert run("audit show x", exit=2).out == ""


def test_a_table_reads_as_sentences_not_as_json(run):
    run("user add alice --email alice@example.com")
    run("user set alice --email bob@example.com --add-tag vip")
    out = run("audit list -o table --target alice").out
    assert "email: a***@example.com -> b***@example.com" in out
    assert "tags: vip" in out
    assert "{" not in out


def test_stored_text_cannot_command_the_terminal(run):
    run(["user", "add", "alice", "--occupation", "[red]x"])
    run.sql("UPDATE audit_entry SET actor = ? WHERE seq = 2", "\x1b]0;x\x07\u202e")
    for options in ("--json", "-o tsv", "-o csv", "-o table"):
        assert not set("\x1b\x07\u202e") & set(run(f"audit list {options}").out)


@pytest.mark.engines("sqlite")
def test_a_long_list_streams(run):
    run("user add alice")
    assert run("audit list -o count").lines == ["2"]
    plan = run.sql(
        "EXPLAIN QUERY PLAN SELECT seq FROM audit_entry WHERE outcome = 'denied' AND outcome <> 'ok' ORDER BY seq"
    )
    assert "ix_audit_entry_refused" in str(plan)


def test_parts_that_are_no_json_do_not_break_reading(run):
    run("user add alice")
    run.sql("UPDATE audit_pii SET body = '{broken' WHERE seq = 2")
    entry = entries(run)[-1]
    assert entry["facts"] == {"damaged": "{broken"}
