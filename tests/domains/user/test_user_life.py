"""Users at the command line: added, found, changed, suspended, closed, removed."""

from __future__ import annotations

import pytest


def test_a_user_is_added_and_shown(run):
    run("user add alice --email Alice@Example.com --phone 13800138000 --add-tag vip")
    shown = run("user show alice --json --reveal").json
    assert shown["email"] == "Alice@example.com"
    assert shown["phone"] == "+8613800138000"
    assert shown["tags"] == ["vip"]
    assert (shown["status"], shown["active"], shown["version"]) == ("active", True, 1)


def test_adding_twice_is_a_conflict_and_leaves_a_failed_entry(run):
    run("user add alice")
    again = run("user add alice --json", exit=5)
    assert again.error["code"] == "user.exists"
    assert again.out == ""
    entries = run("audit list --json").json
    assert [(e["action"], e["outcome"]) for e in entries[-2:]] == [("user.add", "ok"), ("user.add", "failed")]


@pytest.mark.parametrize("verb", ["suspend", "close --yes"])
def test_a_state_that_holds_already_is_unchanged(run, verb):
    run("user add alice")
    assert run(f"user {verb} alice -o json").json["outcome"] == "updated"
    assert run(f"user {verb} alice -o json").json["outcome"] == "unchanged"
