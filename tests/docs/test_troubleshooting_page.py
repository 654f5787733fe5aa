"""The pages for those who run the program: a section for each exit code, and no command that there is not."""

from __future__ import annotations

import re

import page_commands
import pytest

from usermgmt.domains.help import reference
from usermgmt.domains.help.topics import DOCS, TOPICS
from usermgmt.kernel.errors import Exit
from usermgmt.kernel.events import E
from usermgmt.kernel.settings import BY_KEY

PAGES = sorted(DOCS.glob("troubleshooting*.md"))
SHOWING = [DOCS / f"{name}.md" for name in ("deployment", "guarantees")] + PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_exit_code_has_its_section_in_order(page):
    assert re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) == [f"{code.value} {code.word}" for code in Exit]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_section_says_what_it_means_and_what_to_type(page):
    for section in page.read_text().split("\n## ")[1:]:
        assert len(section) > 50
        assert section.startswith("11 ") or "`usermgmt " in section or "`--" in section, section


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_codes_of_the_table_mean_unavailable(page):
    codes = re.findall(r"^\| `([a-z.]+)` \|", page.read_text(), re.MULTILINE)
    exits = {one.code: one.exit for one in reference.error_classes()}
    assert len(codes) > 8
    assert {exits[code] for code in codes} == {Exit.UNAVAILABLE}


@pytest.mark.parametrize("page", SHOWING, ids=lambda page: page.name)
def test_every_command_is_there(page):
    assert all(page_commands.check(page.read_text()))
    assert len(page_commands.commands(page.read_text())) > 0


@pytest.mark.parametrize("page", SHOWING, ids=lambda page: page.name)
def test_settings_are_there(page):
    names = set(re.findall(r"`((?:audit|store|user|time)\.[a-z_]+)`", page.read_text()))
    others = {one.code for one in reference.error_classes()} | set(E) | {"store.db"}
    assert names - others <= set(BY_KEY)


def test_an_example_with_a_slip_is_noticed():
    with pytest.raises(Exception, match="lsit"):
        list(page_commands.check("`usermgmt user lsit`"))
    with pytest.raises(AssertionError):
        list(page_commands.check("`usermgmt help nowhere`"))


def test_examples_are_found_whoever_runs_them():
    page = "    sudo -u usermgmt usermgmt user list\n    runuser -u usermgmt -- usermgmt --store X doctor > f\n"
    assert page_commands.commands(page) == [["user", "list"], ["--store", "X", "doctor"]]
    assert {topic.name for topic in TOPICS} >= {"deployment", "guarantees", "troubleshooting"}
