"""Every command of the real tree keeps the contract: its words, its options, its help and its examples."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
from collections import defaultdict
from pathlib import Path

import pytest
from typer.core import TyperOption

from usermgmt.groups import GROUPS, PANELS
from usermgmt.kernel import tree
from usermgmt.kernel.invocation import Invocation
from usermgmt.kernel.permissions import P
from usermgmt.kernel.streams import Streams

SHARED_VERBS = {"list", "show", "add", "set", "remove"}
VERBS = SHARED_VERBS | {
    *("activate", "close", "ensure", "exists", "history", "note", "rename", "reopen", "suspend", "tag"),  # user
    *("backup", "copy-to", "decrypt", "encrypt", "info", "migrate", "rekey", "restore"),  # store
    *("members", "move"),  # org
    *("checkpoint", "export", "prune", "tail", "verify"),  # audit
    *("get", "init", "validate"),  # config
}
NOUNS = {"users", "runs"}  # what `import` and `export` take second
RESULTS = {"Listing", "Record", "Change", "Batch", "Page", "Bytes", "Pending", "None"}
LEAVES = {tree.command_path(ctx).partition(" ")[2]: ctx for ctx in tree.leaves()}
EACH = pytest.mark.parametrize("name", LEAVES)
OUTPUT = {"--output", "--json", "--fields", "--jq", "--utc", "--no-header"}
# Same option, other words: exports and calendars are formats of their own, a checkpoint needs its file, a tail counts
# from the end, units have an order of their own, and what makes a user chooses none, or gives a unit
OTHER_WORDS = {
    "audit checkpoint": {"--out"},
    "audit export": {"--output", "-o"},
    "audit tail": {"--limit"},
    "export users": {"--output", "-o"},
    "org list": {"--sort"},
    "upcoming": {"--output", "-o"},
    "user add": {"--attribute", "--org"},
    "user ensure": {"--attribute", "--org"},
    "user set": {"--org"},
}


def shown(name: str) -> list:
    """The parameters of a command that its help shows."""
    return [one for one in LEAVES[name].command.params if not one.hidden]


def options(name: str) -> dict[str, TyperOption]:
    return {flag: one for one in shown(name) if isinstance(one, TyperOption) for flag in one.opts}


# -- names -------------------------------------------------------------------------------------------------------------


@EACH
def test_a_verb_is_one_of_the_allowed(name):
    group, _space, verb = name.partition(" ")
    assert verb in (NOUNS if group in ("import", "export") else VERBS | {""})


@pytest.mark.parametrize("row", GROUPS, ids=lambda row: row.name)
def test_a_group_is_whole(row):
    module = importlib.import_module(row.module)
    package = importlib.import_module(row.module.rpartition(".")[0])
    assert (package.__doc__ or "").strip(), "the folder does not say what it is"
    assert re.fullmatch(r"[A-Z].*[^.]\.", row.summary), "its line is a sentence"
    assert len(row.summary) <= 60
    assert row.panel in PANELS
    assert re.fullmatch("[a-z]+", row.name), "groups are singular nouns"
    assert bool(module.app.registered_commands)


def test_names_in_the_table_are_unique_and_in_their_panels_together():
    assert len({row.name for row in GROUPS}) == len(GROUPS)
    assert [row.panel for row in GROUPS] == sorted((row.panel for row in GROUPS), key=PANELS.index)


# -- help --------------------------------------------------------------------------------------------------------------


@EACH
def test_help_begins_with_a_sentence_that_tells_what_to_do(name):
    command = LEAVES[name].command
    words, _examples = tree.described(command)
    first = words.split("\n\n")[0].replace("\n", " ")
    assert first.endswith("."), first
    assert re.match(r"[A-Z][a-z]+ ", first)
    assert not re.match(r"(The|A|An|This|It|[A-Z][a-z]{3,}(ing|ed|es)) ", first), "not imperative"
    assert len(tree.summary(command)) <= 120


@EACH
def test_every_option_and_argument_has_help(name):
    for one in shown(name):
        assert (one.help or "").endswith("."), f"{name} {one.name}"
        assert one.help[0].isupper() or one.help.split()[0].strip(",") in ("bash", "female", "person", "created"), (
            one.help
        )
        assert len(one.help) <= 120, one.help


@EACH
def test_values_are_called_by_a_word_in_capitals_and_no_type_is_shown(name):
    for one in shown(name):
        word = tree.metavar(one)
        flag = isinstance(one, TyperOption) and one.is_flag
        assert flag or re.fullmatch(r"[A-Z][A-Z@,/:|=\[\]_-]*|[a-z|]+(\|[A-Z]+)?|TEXT\|-", word), (
            f"{name} {one.name}: {word}"
        )
    text = LEAVES[name].command.get_help(LEAVES[name])
    assert not re.search(r"<(str|int|list|bool)|x>=|\]\.\.\.\]", text)


@EACH
def test_there_are_examples_and_they_parse(name):
    _words, examples = tree.described(LEAVES[name].command)
    assert 1 <= len(examples) <= 5
    parsed = [path for example in examples for path in parse(example)]
    assert name in parsed, "no example is about the command itself"


def parse(example: str) -> list[str]:
    """Parse every call of the program in a line of shell; returns the commands that it runs."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    calls: list[list[str]] = [[]]
    redirected = False
    for token in lexer:
        if token and set(token) <= set("|&;"):
            calls.append([])
        elif token and set(token) <= set("<>"):
            redirected = True
        elif redirected:
            redirected = False
        else:
            calls[-1].append(token)
    return [parsed(words[1:]) for words in calls if words[0] == tree.PROGRAM]


def parsed(words: list[str]) -> str:
    call = Invocation({}, Path("/"), Streams.of_process())
    ctx = tree.root().make_context(tree.PROGRAM, words, obj=call)
    while isinstance(ctx.command, tree.Group):
        name, command, rest = ctx.command.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
        ctx = command.make_context(name, rest, parent=ctx)
    return tree.command_path(ctx).partition(" ")[2]


def test_an_example_with_a_slip_is_noticed():
    assert parse("usermgmt user list | head -3 > out; usermgmt version") == ["user list", "version"]
    for slip in (
        "usermgmt user list --statsu active",
        "usermgmt usr list",
        "usermgmt user show",
        "usermgmt user list x",
    ):
        with pytest.raises(Exception, match=r"(?i)option|command|missing|unexpected|no such"):
            parse(slip)


# -- options -----------------------------------------------------------------------------------------------------------


@EACH
def test_what_is_declared_is_offered(name):
    spec = LEAVES[name].command.spec
    flags = set(options(name))
    assert spec.may is None or isinstance(spec.may, P)
    assert spec.may is not None or not (spec.opens or spec.finds), "a command that opens a store says what it needs"
    assert not (spec.rehearses and not {"--dry-run", "--reason"} <= flags)
    assert bool({"--dry-run"} & flags) == spec.rehearses
    assert not (spec.confirms and not {"--yes", "--confirm-count"} <= flags)
    assert flags.issuperset(OUTPUT) == (spec.shows is not None and not spec.raw)
    assert ("--reveal" in flags) == spec.reveals
    assert not (spec.reveals and "--reason" not in flags)
    assert not (spec.versioned and "--if-version" not in flags)
    assert sum((spec.writes, spec.chunks, spec.files)) <= 1


@EACH
def test_personal_data_can_be_revealed_where_it_is_read(name):
    spec = LEAVES[name].command.spec
    personal = spec.shows is not None and any(column.mask for column in spec.shows.columns)
    assert not (personal and not spec.rehearses and not spec.reveals)


@EACH
def test_lists_of_values_are_added_to_removed_from_and_set(name):
    flags = set(options(name))
    for flag in flags:
        if match := re.fullmatch(r"--(remove|set)-(.+)", flag):
            assert {f"--add-{match[2]}", f"--remove-{match[2]}", f"--set-{match[2]}"} <= flags


@EACH
def test_options_are_spelled_out(name):
    for flag, one in options(name).items():
        assert re.fullmatch(r"--[a-z]+(-[a-z]+)*|-[a-z]", flag), flag
        assert flag.startswith("--") or any(other.startswith("--") for other in one.opts), "a letter stands for a word"
        assert not one.secondary_opts, "no --x/--no-x pairs"
        assert not flag.startswith("--password") or flag in ("--password-stdin", "--password-file", "--password-fd")


def test_one_name_means_one_thing_everywhere():
    meanings = defaultdict(set)
    for name in LEAVES:
        for flag, one in options(name).items():
            if flag not in OTHER_WORDS.get(name, ()):
                meanings[flag].add((one.help, tree.metavar(one), one.multiple))
    assert {flag: found for flag, found in meanings.items() if len(found) > 1} == {}


def test_one_thing_has_one_name_everywhere():
    names = defaultdict(set)
    for name in LEAVES:
        for one in options(name).values():
            names[one.help].add(tuple(sorted(one.opts)))
    assert {help_: found for help_, found in names.items() if len(found) > 1} == {}


def test_letters_are_few_and_mean_the_same_everywhere():
    every = [one for name in LEAVES for one in options(name).values()] + tree.root().params
    letters = {(flag, max(one.opts, key=len)) for one in every for flag in one.opts if len(flag) == 2}
    assert len({flag for flag, _name in letters}) == len(letters) <= 8


def test_global_options_are_accepted_after_every_verb_and_shown_once():
    wanted = {flag for one in tree.root().params if one.name.startswith("global_") for flag in one.opts}
    for name, ctx in LEAVES.items():
        hidden = {flag for one in ctx.command.params if one.hidden for flag in one.opts}
        assert hidden == wanted, name
        assert "--no-input" not in ctx.command.get_help(ctx)


def test_arguments_of_one_name_have_one_help():
    helps = defaultdict(set)
    for name in LEAVES:
        for one in shown(name):
            if not isinstance(one, TyperOption):
                helps[(tree.metavar(one), one.nargs)].add(one.help)
    # which file it is, only its command can say
    assert {word: found for word, found in helps.items() if len(found) > 1 and word[0] != "FILE"} == {}


def test_files_and_directories_complete_as_such():
    for name, ctx in LEAVES.items():
        for one in ctx.command.params:
            if one.name in ctx.command.spec.paths:
                assert {"FILE", "DIR"} & set(tree.metavar(one).split("|")), (name, one.name)


# -- what commands return ----------------------------------------------------------------------------------------------


def functions() -> list[tuple[str, ast.FunctionDef, str]]:
    """Every function under @command, with the command it is."""
    found = []
    for row in GROUPS:
        source = ast.parse(inspect.getsource(importlib.import_module(row.module)))
        for node in source.body:
            for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "command":
                    named = decorator.args[1] if len(decorator.args) > 1 else None
                    verb = named.value if isinstance(named, ast.Constant) else node.name.strip("_").replace("_", "-")
                    found.append((row.name if row.single else f"{row.name} {verb}", node, row.module))
    return found


FUNCTIONS = functions()


def test_every_command_is_a_function_of_its_module():
    assert sorted(name for name, _node, _module in FUNCTIONS) == sorted(LEAVES)


@pytest.mark.parametrize(("name", "node"), [(name, node) for name, node, _module in FUNCTIONS])
def test_a_command_returns_a_result_and_prints_nothing(name, node):
    kinds = {part.strip() for part in ast.unparse(node.returns).split("|")}
    assert kinds <= RESULTS, "an exit code is never returned: ctx.exit says it"
    called = {ast.unparse(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}
    assert not called & {"print", "sys.exit", "input", "exit", "typer.echo", "sys.stdout.write"}
    assert kinds != {"Listing"} or not LEAVES[name].command.spec.opens or "--limit" in options(name)
    assert bool(kinds - {"Page", "Bytes", "None"}) == (LEAVES[name].command.spec.shows is not None)


@pytest.mark.parametrize(("name", "node"), [(name, node) for name, node, _module in FUNCTIONS])
def test_a_command_is_short(name, node):
    body = node.body[1:]
    assert not body or body[-1].end_lineno - body[0].lineno < 25, name
