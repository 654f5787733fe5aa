"""Attributes of users declared in the configuration: read, shown, changed by command, judged with path and line."""

from __future__ import annotations

import pytest

from usermgmt.kernel.settings_attributes import MOST

DECLARED = """\
[attribute.department]
label = "部门"
choices = ["Sales", "研发"]

[attribute.height]
type = "integer"
"""


# no store matters here but that the commands of users want one
pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture
def file(run):
    path = run.home / "config.toml"
    run.env["USERMGMT_CONFIG"] = str(path)
    write(path, DECLARED)
    return path


def write(path, text):
    path.write_text(text)
    path.chmod(0o600)


def shown(run):
    rows = run("config show --json --origin").json
    return {row["key"]: row["value"] for row in rows if row["key"].startswith("attribute.")}


# -- read --------------------------------------------------------------------------------------------------------------


def test_what_is_declared_is_shown_with_its_place(run, file):
    row = next(row for row in run("config show --json --origin").json if row["key"] == "attribute.height.type")
    assert (row["value"], row["origin"]) == ("integer", f"{file}:6")
    assert shown(run)["attribute.department.choices"] == ["Sales", "研发"]
    assert run("config get attribute.department.label").out == "部门\n"
    assert run("config get attribute.height.mask").out == "none\n"
    assert "did you mean attribute.height.type?" in run("config get attribute.heigth.type", exit=3).err
    assert "did you mean attribute.height.type?" in run("config get attribute.height.typ", exit=3).err
    assert "There is no setting" in run("config get attribute.height", exit=3).err


def test_a_later_file_adds_attributes_and_replaces_one_as_a_whole(run, file, system_configuration):
    write(system_configuration / "config.toml", DECLARED + "mask = 'text'\n")
    write(file, "[attribute.height]\ntype = 'text'\nmaximum = 3\n[attribute.vip]\ntype = 'boolean'\n")
    assert shown(run) == {
        "attribute.department.label": "部门",
        "attribute.department.choices": ["Sales", "研发"],
        "attribute.height.type": "text",
        "attribute.height.maximum": 3,
        "attribute.vip.type": "boolean",
    }


# -- changed -----------------------------------------------------------------------------------------------------------


def test_an_attribute_is_declared_by_commands(run, file):
    file.unlink()
    for key, value in (
        ("a.type", "text"),
        ("a.maximum", "20"),
        ("b.choices", "x,y"),
        ("b.type", "choice"),
        ("b.mask", "name"),
    ):
        run(f"config set attribute.{key} {value}")
    assert (
        file.read_text()
        == """\
[attribute.a]
type = "text"
maximum = 20

[attribute.b]
choices = ["x", "y"]
type = "choice"
mask = "name"
"""
    )
    run("user add alice --attribute a=1 --attribute b=y")
    entries = [one for one in run("audit list --json").json if one["action"] == "config.set"]
    assert entries[1]["facts"] == {"key": "attribute.a.maximum", "before": None, "after": 20}
    # words of a platform may tell of persons
    assert entries[2]["facts"] == {"key": "attribute.b.choices"}


def test_an_attribute_is_taken_out_as_a_whole(run, file):
    assert run("config set attribute.department --unset --json").json["outcome"] == "removed"
    assert run("config set attribute.department --unset --json").json["outcome"] == "unchanged"
    assert file.read_text() == DECLARED[DECLARED.index("[attribute.height]") :]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("attribute.height.type choice", 6, "it has no choices"),
        ("attribute.height.maximum 5", 6, "only one of the type text has a maximum"),
        ("attribute.height.choices a,b", 6, "only one of the type choice has choices"),
        ("attribute.department.choices --unset", 6, "it has no type"),
        ("attribute.department.choices a,A", 6, "the same but for case"),
        ("attribute.department.choices ''", 6, "it has no type"),
        ("attribute.new.label X", 6, "it has no type"),
        ("attribute.height.type intger", 6, "did you mean integer?"),
        ("attribute.height.mask hidden", 6, "is not one of none"),
        ("attribute.height.typ text", 3, "did you mean attribute.height.type?"),
        ("attribute.Height.type text", 3, "There is no setting"),
        ("attribute.__proto__.type text", 3, "There is no setting"),
        ("attribute.height text", 3, "There is no setting"),
    ],
)
def test_no_command_leaves_a_declaration_by_halves(run, file, line, code, said):
    assert said in run(f"config set {line}", exit=code).err
    assert file.read_text() == DECLARED


def test_a_broken_declaration_is_mended_by_commands(run, file):
    write(file, "[attribute.a]\nlabel = 'A'\nmaximum = 3\n")
    run("user list", exit=8)
    run("config set attribute.a.type integer")
    run("user list", exit=8)
    run("config set attribute.a.maximum --unset")
    run("user list")


# -- judged ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[attribute.a]\nlabel = 'x'\n", 2, "attribute.a: it has no type"),
        ("[attribute.a]\n", 1, "attribute.a: it has no type"),
        ("[attribute]\na = 'text'\n", 2, "attribute.a: it is a section, written [attribute.a]"),
        ("attribute = 3\n", 1, "attribute: it is a section, written [attribute]"),
        ("[[attribute]]\ntype = 'text'\n", 1, "attribute: it is a section"),
        ("[attribute.a]\ntype = 'string'\n", 2, '"string" is not one of text, integer'),
        ("[attribute.a]\ntype = 7\n", 2, "attribute.a.type: 7 is not a text"),
        ("[attribute.a]\ntype = 'text'\nmaximum = 501\n", 3, "501 is outside 1 to 500"),
        ("[attribute.a]\ntype = 'text'\nmask = 'mail'\n", 3, "is not one of none, name"),
        ("[attribute.a]\ntype = 'text'\nrequired = true\n", 3, "there is no such setting"),
        ("[attribute.a]\ntype = 'choice'\n", 2, "attribute.a: it has no choices"),
        ("[attribute.a]\nchoices = ['x', ' y']\n", 2, "a choice is 1 to 100 characters"),
        ("[attribute.a]\nchoices = ['x', 3]\n", 2, "3 is not a list of texts"),
        ("[attribute.a]\nchoices = ['x', \"\\u001b\"]\n", 2, "U+001B"),
        ("[attribute.a]\ntype = 'text'\nlabel = '" + "x" * 101 + "'\n", 2, "its label is longer than 100"),
        ("[attribute.Größe]\ntype = 'text'\n", 1, "stands in quotes"),
        ("[attribute.A]\ntype = 'text'\n", 2, "the name of an attribute is a lower-case letter"),
        ("[attribute.__proto__]\ntype = 'text'\n", 2, "the name of an attribute is"),
        ('[attribute."a b"]\ntype = "text"\n', 2, "the name of an attribute is"),
        ("[attribute." + "x" * 41 + "]\ntype = 'text'\n", 2, "the name of an attribute is"),
        ("[attribute.a]\ntype = 'text'\n[attribute.a]\ntype = 'text'\n", 3, "attribute.a"),
        ("[attribute.a.type]\nx = 1\n", 2, "there is no such setting"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(run, file, text, line, said):
    write(file, text)
    answer = run("user list", exit=8)
    assert f"{file}:{line}" in answer.err
    assert said.lower() in answer.err.lower()
    found = run("config validate --json", exit=8).json
    assert found[0]["where"] == f"{file}:{line}"


@pytest.mark.parametrize("count", [MOST + 1, 10_000])
def test_too_many_attributes_are_refused_at_once(run, file, count):
    write(file, "".join(f"[attribute.a{n}]\ntype = 'text'\n" for n in range(count)))
    assert "more than" in run("user list", exit=8).err
    write(file, "".join(f"[attribute.a{n}]\ntype = 'text'\n" for n in range(MOST)))
    run("user list")


def test_the_environment_declares_nothing(run, file):
    assert "attribute.height.type" in shown(run)
    run.env["USERMGMT_ATTRIBUTE_HEIGHT_TYPE"] = "nonsense"
    assert shown(run)["attribute.height.type"] == "integer"


def test_help_and_sample_tell_of_them(run):
    assert "attribute.NAME.choices" in run("help settings").out
    run("--config new.toml config init")
    assert "[attribute.department]" in (run.home / "new.toml").read_text()
    run("--config new.toml user list")
