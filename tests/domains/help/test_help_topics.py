"""The manual inside the program: every topic, every command, both languages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from usermgmt.domains.help.topics import DOCS, TOPICS
from usermgmt.kernel import tree
from usermgmt.kernel.errors import Exit
from usermgmt.kernel.permissions import P
from usermgmt.kernel.settings import TABLE

pytestmark = [pytest.mark.engines("sqlite"), pytest.mark.store]


def chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_shown_and_needs_no_store(run, topic):
    done = run(["help", topic.name])
    assert len(done.out) > 300
    assert done.err == ""
    assert topic.name in run("help").out


@pytest.mark.parametrize("topic", [one for one in TOPICS if not one.file], ids=lambda topic: topic.name)
def test_a_page_has_one_title_and_fits_a_terminal(run, topic):
    lines = run(["help", topic.name], env={"COLUMNS": "100"}).lines
    assert lines[0].startswith("# ")
    assert [line for line in lines if line.startswith("# ")] == lines[:1]
    # tables of Markdown and examples are as wide as they are
    assert [line for line in lines if len(line) > 150 and not line.startswith(("|", "{", "    "))] == []


def test_pages_are_all_topics():
    pages = {path.name for path in DOCS.iterdir() if path.is_file() and not path.name.endswith(".zh.md")}
    shown = {topic.file or f"{topic.name}.md" for topic in TOPICS if not topic.made} | {"commands.md"}
    assert pages == shown


@pytest.mark.parametrize("name", ["contract", "getting-started", "glossary"])
def test_some_pages_are_chinese(run, name):
    assert chinese(run(["--lang", "zh", "help", name]).out)
    assert run(["--lang", "zh", "help", name]).out != run(["help", name]).out


def test_a_page_without_a_twin_is_shown_in_english(run):
    assert run("--lang zh help decisions").out == run("help decisions").out


def test_a_page_works_where_the_configuration_is_broken(run):
    assert run("help exit-codes", env={"USERMGMT_TIME_ZONE": "Mars"}).out.startswith("# Exit codes")


# -- topics made from the program --------------------------------------------------------------------------------------


def test_exit_codes_are_those_of_the_enum(run):
    lines = run("help exit-codes").lines
    for code in Exit:
        assert any(line.split()[:2] == [str(int(code)), code.word] for line in lines)


def test_settings_have_default_limits_and_variable(run):
    text = " ".join(run("help settings", env={"COLUMNS": "100"}).out.split())
    assert all(f" {row.key} " in text for row in TABLE)
    assert "at most 20000; default: 20000; USERMGMT_IMPORT_CHUNK" in text


def test_permissions_name_the_commands_that_need_them(run):
    text = " ".join(run("help permissions", env={"COLUMNS": "100"}).out.split())
    assert all(permission in text for permission in P)
    assert f"{P.USER_CREATE} user add, user ensure" in text
    assert "user list --reveal" in text


def test_every_permission_is_needed_by_some_command(run):
    lines = run("help permissions", env={"COLUMNS": "100"}).lines
    unused = [line for line in lines if line.strip() in set(P)]
    assert unused == []


def test_errors_have_exit_code_message_and_hint(run):
    text = " ".join(run("help errors", env={"COLUMNS": "100"}).out.split())
    assert "user.not_found 3: There is no user {name}. hint: usermgmt user list --search TEXT finds users" in text
    assert "store.missing 8:" in text


def test_the_verifier_is_the_program_that_ships(run, tmp_path):
    done = run("help verifier")
    assert done.data == (DOCS / "verify_audit.py").read_bytes()
    path = tmp_path / "verify_audit.py"
    path.write_bytes(done.data)
    called = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=True)
    assert "EXPORT" in called.stdout


# -- commands ----------------------------------------------------------------------------------------------------------


def test_the_words_of_a_command_show_its_help(run):
    assert run("help user add").out == run("user add --help").out
    assert run("help user").out == run("user --help").out
    assert run("help version").out == run("version --help").out


def test_commands_has_the_help_of_every_command(run):
    text = run("help commands").out
    for ctx in tree.leaves():
        assert f"\n## {tree.command_path(ctx)}\n" in text


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("exitcodes", "exit-codes"),
        ("settins", "settings"),
        ("usr", "user"),
        ("user ad", "user add"),
        ("user add extra", ""),
        ("xyzzy", ""),
        ("'' ''", ""),
    ],
)
def test_an_unknown_topic_is_not_found_and_the_nearest_is_offered(run, words, near):
    done = run(f"help {words}", exit=3)
    assert done.out == ""
    assert (f"usermgmt help {near}?" if near else "usermgmt help lists the topics") in done.err


def test_a_hostile_topic_is_neutralised(run):
    assert "\x1b" not in run(["help", "\x1b[2Jx"], exit=3).err
