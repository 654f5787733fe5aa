"""Options declared once for many commands: bundles, files, and what is read before a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from usermgmt.kernel import options


@dataclass(frozen=True, slots=True)
class Pair:
    """Two options that stand together."""

    left: Annotated[str, Option("--left", metavar="FILE")] = "l"
    right: Annotated[str | None, Option("--right")] = None


@dataclass(frozen=True, slots=True)
class Wider(Pair):
    """One more."""

    many: Annotated[list[str] | None, Argument(metavar="USER|-")] = None


def command(ctx, name: str, pair: Pair, listed: Annotated[str, Option("--from-file", metavar="FILE|-")] = ""):
    return ctx, name, pair, listed


def wider(ctx, whom: Wider, text: Annotated[str, Option("--text", metavar="TEXT|-")] = ""):
    return ctx, whom, text


# annotations as the program has them: evaluated, since Typer reads them
for function, evaluated in (
    (command, {"name": str, "pair": Pair, "listed": Annotated[str, Option("--from-file", metavar="FILE|-")]}),
    (wider, {"whom": Wider, "text": Annotated[str, Option("--text", metavar="TEXT|-")]}),
):
    function.__annotations__ = evaluated


def test_the_fields_of_a_bundle_become_parameters_of_their_own():
    own, bundles = options.own_parameters(command)
    assert [one.name for one in own] == ["name", "left", "right", "listed"]
    assert {one.kind for one in own} == {own[0].KEYWORD_ONLY}
    assert bundles == {"pair": Pair}
    own, bundles = options.own_parameters(wider)
    assert [one.name for one in own] == ["left", "right", "many", "text"]
    assert bundles == {"whom": Wider}


def test_a_bundle_is_put_together_again_as_often_as_it_is_needed():
    given = {"name": "n", "left": "a", "right": None, "listed": "f"}
    for _run in range(2):
        assert options.bundled(given, {"pair": Pair}) == {"name": "n", "pair": Pair("a", None), "listed": "f"}
    assert set(given) == {"name", "left", "right", "listed"}


def test_parameters_that_name_files_and_those_that_may_be_standard_input():
    own, _bundles = options.own_parameters(command)
    assert options.paths(own) == ("left", "listed")
    assert options.inputs(own) == ("listed",)
    own, _bundles = options.own_parameters(wider)
    assert options.inputs(own) == ("many", "text")


def test_what_is_read_before_a_transaction():
    names, files = ("many", "text", "listed"), ("left", "listed")

    def ahead(**given):
        return list(options.ahead(given, names, files))

    assert ahead(many=None, text="", listed="") == []
    assert ahead(many=["alice", "-"], text="-", listed="f") == ["-", "-", "f"]
    assert ahead(many=["alice"], text="words", listed="-") == ["-"]
    assert ahead(left="out", listed=None) == []


def test_a_command_has_the_shared_options_it_declares_and_no_others():
    none = {"shows": False, "writes": False, "reveals": False, "confirms": False, "versioned": False, "reasoned": False}

    def names(**wanted):
        return [one.name for one in options.shared_parameters(**{**none, **wanted})]

    assert names() == []
    assert names(writes=True) == ["dry_run", "reason"]
    assert names(reveals=True) == ["reason", "reveal"]
    assert names(reasoned=True) == ["reason"]
    assert names(versioned=True) == ["if_version"]
    assert names(confirms=True) == ["yes", "confirm_count"]
    assert names(shows=True) == ["output_format", "as_json", "fields", "jq", "utc", "no_header"]


def test_global_options_are_seen_once():
    shown, hidden = (options.global_parameters(hidden=hidden) for hidden in (False, True))
    assert [one.name for one in shown] == [one.name for one in hidden]
    assert all(one.name.startswith("global_") for one in shown)
    assert {one.annotation.__metadata__[0].hidden for one in shown} == {False}
    assert {one.annotation.__metadata__[0].hidden for one in hidden} == {True}
