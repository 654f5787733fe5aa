"""Each promise of the page of guarantees names tests, and there are tests of those names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from usermgmt.domains.help.topics import DOCS

TOP = Path(__file__).parents[2]
PAGE = (DOCS / "guarantees.md").read_text()
PROMISED, _, NOT_PROMISED = PAGE.partition("\n## What is not promised\n")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((TOP / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_the_page_names_is_there():
    named = NAMED.findall(PAGE)
    assert len(named) > 60
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def test_every_promise_names_a_test():
    promises = re.findall(r"^- .*\n(?:  .*\n)*", PROMISED, re.MULTILINE)
    assert len(promises) > 25
    assert [promise for promise in promises if not NAMED.search(promise)] == []


def test_nothing_in_backquotes_looks_like_a_test_and_is_not_read_as_one():
    assert PAGE.count("`tests/") - PAGE.count("`tests/faults` ") == len(NAMED.findall(PAGE))


def test_the_page_says_what_is_not_promised():
    for word in ("Root", "Deleted anchors", "SSD", "account"):
        assert word in NOT_PROMISED
