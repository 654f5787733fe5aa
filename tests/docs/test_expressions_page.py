"""The page about expressions says what they do: each of its examples is tried, each field is there."""

from __future__ import annotations

import re

import page_commands
import pytest

from usermgmt.domains.help.topics import DOCS
from usermgmt.domains.user.expressions import schema
from usermgmt.engines.rules.overloads import FUNCTIONS, METHODS
from usermgmt.engines.rules.rule import rule

PAGES = sorted(DOCS.glob("expressions*.md"))
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
SCHEMA = schema("2026-11-26T00:00:00.000Z", "2026-11-26")


def test_there_are_two():
    assert [page.name for page in PAGES] == ["expressions.md", "expressions.zh.md"]


@EACH
def test_what_the_table_says_is_chosen_is_chosen(page, run):
    text = page.read_text()
    for line in re.findall(r"^    usermgmt (user add .*)$", text, re.MULTILINE):
        run(line)
    rows = re.findall(r"^\| `(.+)` \| (alice|bob|alice, bob|nobody|无) \|$", text, re.MULTILINE)
    assert len(rows) == 12
    for expression, names in rows:
        found = run(["user", "list", "--where", expression.replace(r"\|", "|"), "--json", "--jq", ".[].username"]).lines
        assert found == [name for name in names.split(", ") if name not in ("nobody", "无")], expression


@EACH
def test_its_commands_are_there_and_their_expressions_are_read(page):
    text = page.read_text()
    assert {"user list", "user suspend", "export users", "user show"} <= set(page_commands.check(text))
    lines = [words for words in page_commands.commands(text) if "--where" in words]
    assert len(lines) == 3
    for words in lines:
        assert rule(words[words.index("--where") + 1], SCHEMA, "--where")


@EACH
def test_it_names_every_field_with_its_type(page):
    rows = re.findall(r"^\| `([a-z()]+)` \| ((?:`[a-z_]+` ?)+)\|$", page.read_text(), re.MULTILINE)
    named = {name: kind for kind, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert named == {name: str(field.type) for name, field in SCHEMA.fields.items()}
    assert all(f"{name}." in page.read_text() for name in SCHEMA.families)


@EACH
def test_it_names_every_function(page):
    assert all(f"{name}(" in page.read_text() for name in (*FUNCTIONS, *METHODS, "has"))


def test_both_pages_show_the_same():
    ours, theirs = (
        {one for one in re.findall(r"`([^`\n]+)`", page.read_text()) if not one.startswith(("--where", "//", '"""'))}
        for page in PAGES
    )
    assert ours == theirs
