"""What is generated is what the program is: run tests/tools/generate.py after a change of the surface."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from usermgmt.domains.help import glossary, reference
from usermgmt.domains.help.topics import DOCS
from usermgmt.kernel import events, tree
from usermgmt.kernel.errors import WHEN, Exit

TOP = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("generate", TOP / "tests" / "tools" / "generate.py")
generate = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(generate)
MADE = generate.files()


@pytest.mark.parametrize("path", MADE, ids=lambda path: str(path.relative_to(TOP)))
def test_a_generated_file_is_up_to_date(path):
    assert path.read_text() == MADE[path], "run: python tests/tools/generate.py"


def test_the_check_notices_a_change(tmp_path):
    # in a copy, since others read the tree meanwhile
    for folder in ("tests/tools", "tests/faults", "tests/golden", "completions", "usermgmt"):
        shutil.copytree(TOP / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "tests/tools/generate.py", "--check"]
    env = {"PYTHONPATH": str(tmp_path)}

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert (check().returncode, check().stdout) == (0, "")
    surface = tmp_path / "tests" / "golden" / "surface.txt"
    surface.write_text(surface.read_text().replace("option user list --limit N\n", ""))
    assert check().returncode == 1
    assert "+option user list --limit N" in check().stdout


def test_the_surface_has_a_line_once():
    lines = MADE[TOP / "tests" / "golden" / "surface.txt"].splitlines()
    assert len(lines) == len(set(lines))


def test_completion_scripts_are_the_ones_that_the_program_prints():
    from usermgmt.domains.completion.cli import FILES

    assert {path.name for path in (TOP / "completions").iterdir()} == set(FILES.values())


@pytest.mark.parametrize(
    ("shell", "name"), [("bash", "usermgmt.bash"), ("zsh", "_usermgmt"), ("fish", "usermgmt.fish")]
)
def test_completion_scripts_are_shell(shell, name):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    subprocess.run([shell, "-n", str(TOP / "completions" / name)], check=True, capture_output=True)


# -- pages that quote the program --------------------------------------------------------------------------------------


def test_every_exit_code_has_its_when_and_stands_in_the_contract():
    assert set(WHEN) == set(Exit)
    for page in ("contract.md", "contract.zh.md"):
        text = (DOCS / page).read_text()
        for code in Exit:
            assert str(int(code)) in text
            assert code.word in text


def test_audit_actions_are_all_explained():
    text = MADE[DOCS / "audit-actions.md"]
    assert all(f"    {action} " in text for action in events.E)


def test_error_codes_are_well_formed_and_mean_one_exit_code_each():
    exits = {}
    for one in reference.error_classes():
        assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", one.code)
        assert exits.setdefault(one.code, one.exit) == one.exit, one


# -- glossary ----------------------------------------------------------------------------------------------------------


def known_places() -> set[str]:
    """Everything that a term may point at, as the glossary writes it."""
    places = {f"command {tree.command_path(ctx).partition(' ')[2]}" for ctx in tree.leaves()}
    places |= {f"group {name}" for name, _line in tree.root().summaries()}
    places |= {f"topic {topic.name}" for topic in generate.TOPICS}
    places |= {f"setting {row.key}" for row in generate.TABLE}
    places |= {f"global {flag}" for one in tree.root().params for flag in one.opts}
    for ctx in tree.leaves():
        view = ctx.command.spec.shows
        for one in ctx.command.params:
            places |= (
                {f"option {flag}" for flag in one.opts}
                if hasattr(one, "is_flag")
                else {f"argument {tree.metavar(one)}"}
            )
        if view is not None:
            places |= {f"field {column.name}" for column in view.columns}
            places |= {f"value {value}" for labels in view.enums.values() for value in labels}
    return places


@pytest.mark.parametrize("term", glossary.terms(), ids=lambda term: term.english)
def test_a_term_names_what_exists(term):
    assert set(term.places) <= known_places()


def test_terms_are_chinese_and_english_and_stand_once():
    terms = glossary.terms()
    assert all(any("\u4e00" <= char <= "\u9fff" for char in term.chinese) for term in terms)
    assert all(term.english.isascii() for term in terms)
    assert len({term.chinese for term in terms}) == len({term.english for term in terms}) == len(terms)


def test_every_group_has_a_term():
    named = {
        place.split()[1]
        for term in glossary.terms()
        for place in term.places
        if place.split()[0] in ("group", "command")
    }
    assert {name for name, _line in tree.root().summaries()} - named <= {"help", "version", "init"}
