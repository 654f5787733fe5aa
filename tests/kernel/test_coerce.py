"""Values of the command line: texts, whole numbers, enums; nothing else is taken for one."""

from __future__ import annotations

import sys

import pytest

pytestmark = [pytest.mark.engines("sqlite")]


@pytest.mark.parametrize("value", ["x", "1.0", "1_0", " 1", "１", "", "0x1", "1e3", "-1", "9" * 30])
def test_what_is_no_whole_number_in_range_is_refused(run, value):
    done = run(["user", "list", "--limit", value, "--json"], exit=2)
    assert done.error["code"] == "usage.value"


@pytest.mark.parametrize("value", ["0", "1", "+1", "007", "9" * 18])
def test_whole_numbers_are_taken(run, value):
    run("user add alice")
    assert run(["user", "list", "--limit", value, "--json"]).json == (
        [] if value == "0" else run("user list --json").json
    )


def test_enums_are_named_when_another_word_is_given(run):
    done = run("user add alice --if-exists maybe", exit=2)
    assert "fail, skip, update" in done.err


def test_formats_are_taken_in_any_case(run):
    assert run("user list -o JSON").json == []
    assert run("user list -o Json").json == []


def test_lists_keep_their_order_and_their_empty_texts(run):
    run("user add alice --add-tag b --add-tag a")
    assert run("user show alice --json").json["tags"] == ["a", "b"]
    run(["user", "set", "alice", "--set-tag", ""])
    assert run("user show alice --json").json["tags"] == []


def test_every_parameter_is_coerced_without_pydantic():
    from usermgmt.kernel import tree
    from usermgmt.kernel.coerce import Plain

    for ctx in tree.leaves():
        for parameter in ctx.command.get_params(ctx):
            assert isinstance(parameter._runtime_param, Plain), (tree.command_path(ctx), parameter.name)
    assert "pydantic" not in sys.modules or "sqlmodel" in sys.modules
