"""Attributes that the configuration declares: given, shown, masked, found, taken away; on both engines."""

from __future__ import annotations

import re
import textwrap

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from usermgmt.domains.help.topics import DOCS
from usermgmt.domains.user import attributes
from usermgmt.domains.user.fields import InvalidField
from usermgmt.domains.user.queries import FIELDS
from usermgmt.domains.user.state import user
from usermgmt.kernel import completion
from usermgmt.kernel.selectors import Compare, compile_predicate
from usermgmt.kernel.settings_attributes import Attribute

DECLARED = """
[attribute.department]
label = "部门"
choices = ["Sales", "研发"]
[attribute.height]
type = "integer"
[attribute.vip]
type = "boolean"
[attribute.hired]
type = "date"
[attribute.badge]
type = "text"
mask = "name"
maximum = 10
"""
ALICE = "--attribute department=sales --attribute height=0180 --attribute vip=yes --attribute hired=2024/3/1"


@pytest.fixture(autouse=True)
def declared(run):
    run.configure(DECLARED)


def held(run, user="alice", more=""):
    return run(f"user show {user} --json --fields attributes {more}").json["attributes"]


def names(run, *options):
    return [row["username"] for row in run(["user", "list", "--json", *options]).json]


# -- given and shown ---------------------------------------------------------------------------------------------------


def test_values_are_kept_by_type_and_shown_as_such(run):
    run(f"user add alice {ALICE}")
    assert held(run) == {"department": "Sales", "height": 180, "hired": "2024-03-01", "vip": True}
    listed = run("user list --fields username,attributes --json").json
    assert listed == [{"username": "alice", "attributes": held(run)}]
    assert run("user list --fields attributes --no-header").out == (
        '{"department":"Sales","height":180,"hired":"2024-03-01","vip":true}\n'
    )
    kept = run.sql("SELECT name, value, number FROM user_attribute ORDER BY name")
    assert kept == [
        ("department", "Sales", None),
        ("height", "180", 180),
        ("hired", "2024-03-01", None),
        ("vip", "true", None),
    ]


def test_a_table_names_attributes_by_their_labels(run):
    run(f"user add alice {ALICE}")
    told = [line.strip() for line in run("user show alice -o table").lines]
    assert told[told.index("Attributes    部门: Sales") + 1 :][:3] == ["height: 180", "hired: 2024-03-01", "vip: yes"]


def test_attributes_are_changed_one_by_one(run):
    run(f"user add alice {ALICE}")
    done = run("user set alice --add-attribute height=190 --remove-attribute hired --add-attribute vip= --json").json
    assert (done["outcome"], done["attributes"]) == ("updated", {"department": "Sales", "height": 190})
    before, after = done["changes"]["attributes"]
    assert (before["height"], before["vip"], after) == (180, True, done["attributes"])
    assert run("user set alice --add-attribute height=+190 --json").json["outcome"] == "unchanged"
    assert run("user set alice --remove-attribute hired --json").json["outcome"] == "unchanged"
    run("user set alice --set-attribute vip=否")
    assert held(run) == {"vip": False}
    run(["user", "set", "alice", "--set-attribute", ""])
    assert held(run) == {}
    assert run("audit verify --state --json").json["holds"]


def test_ensure_is_unchanged_on_its_second_run(run):
    assert run(f"user ensure alice {ALICE} --json").json["outcome"] == "created"
    assert run(f"user ensure alice {ALICE} --json").json["outcome"] == "unchanged"
    assert run("user ensure alice --attribute height=1 --json").json["attributes"]["height"] == 1


def test_a_rehearsal_keeps_nothing(run):
    run("user add alice")
    done = run("user set alice --add-attribute height=1 --dry-run --json").json
    assert (done["outcome"], done["attributes"]) == ("updated", {"height": 1})
    assert held(run) == {}


def test_a_removed_user_takes_the_attributes_along(run):
    run(f"user add alice {ALICE}")
    run("user remove alice --yes")
    assert run.sql("SELECT * FROM user_attribute") == []
    assert run("audit verify --state --json").json["holds"]


def test_a_backup_brings_them_back(run):
    run(f"user add alice {ALICE}")
    run("store backup before.db")
    run("user set alice --set-attribute vip=no")
    run("store restore before.db --yes")
    assert held(run) == {"department": "Sales", "height": 180, "hired": "2024-03-01", "vip": True}
    assert names(run, "--attribute", "height>100") == ["alice"]


def test_the_example_of_the_manual_does_what_it_says(run):
    page = (DOCS / "formats.md").read_text("utf-8").partition("## Attributes of your own")[2]
    declaration, session = re.findall(r"^    .*(?:\n(?:    .*)?)*", page, re.MULTILINE)[:2]
    run.configure(textwrap.dedent(declaration))
    parts = re.split(r"^\$ usermgmt ", textwrap.dedent(session).strip() + "\n", flags=re.MULTILINE)[1:]
    for part in parts:
        line, _end, answer = part.partition("\n")
        assert run(line).out == answer, line
    assert len(parts) == 4


# -- refused -----------------------------------------------------------------------------------------------------------


UNKEPT = [
    ("departmnt=x", 3, "did you mean department?"),
    ("__proto__=x", 3, "one of department, height, vip, hired, badge"),
    ("x" * 100_000 + "=1", 3, "There is no attribute xxx"),
    ("DEPARTMENT=Sales", 3, "did you mean department?"),
    ("department", 6, "it is not NAME=VALUE"),
    ("=1", 6, "it is not NAME=VALUE"),
    ("department=Salse", 6, "did you mean Sales?"),
    ("department=a=b=c", 6, "it must be one of Sales, 研发"),
    ("height=1.5", 6, "it is not a whole number"),
    ("height=" + "9" * 100_000, 6, "it is not a whole number"),
    ("height=9223372036854775808", 6, "it does not fit into 64 bits"),
    ("vip=maybe", 6, "write true or false"),
    ("hired=2024-02-30", 6, "it is not a date"),
    ("badge=12345678901", 6, "it is longer than 10 characters"),
    ("badge=" + "x" * 100_000, 6, "it is longer than 10 characters"),
    ("badge=a\x1bb", 6, "U+001B cannot be stored"),
    ("badge=a\nb", 6, "U+000A cannot be stored"),
    ("badge=\udcff", 6, "U+DCFF cannot be stored"),
    ("\udcff=1", 3, "There is no attribute"),
]


def test_what_cannot_be_kept_is_said_in_one_line(run):
    run("user add alice")
    for word, code, said in UNKEPT:
        answer = run(["user", "set", "alice", "--add-attribute", word], exit=code)
        assert said in answer.err, word[:50]
        assert len(answer.err) < 400
        assert answer.err.count("\n") <= 2
    run("user add bob --attribute height=x", exit=6)
    assert names(run) == ["alice"]
    assert held(run) == {}


def test_two_values_of_one_attribute_are_refused_and_the_same_twice_is_not(run):
    answer = run("user add alice --attribute height=1 --add-attribute height=2", exit=6)
    assert "two values for height" in answer.err
    run("user add alice --attribute height=1 --add-attribute height=+01")
    assert held(run) == {"height": 1}


def test_nothing_is_declared_nothing_can_be_given(run):
    run.configure("")
    assert "usermgmt help formats" in run("user add alice --attribute x=1", exit=3).err


def test_to_choose_users_by_an_attribute_is_not_to_give_them_one(run):
    run("user add alice")
    assert "--add-attribute gives" in run("user set alice --attribute height=3", exit=2).err


# -- masked ------------------------------------------------------------------------------------------------------------


def test_values_are_masked_as_declared_until_revealed(run):
    run("user add alice --attribute 'badge=Ann Lee' --attribute height=180")
    shown = run("user show alice --json --fields attributes").json
    assert shown == {"attributes": {"badge": "A* L*", "height": 180}, "masked": ["attributes"]}
    assert "Ann" not in run("user list -o csv --fields attributes").out
    assert held(run, more="--reveal") == {"badge": "Ann Lee", "height": 180}
    assert run("audit tail --json").json[-1]["action"] == "data.reveal"
    entry = run("user history alice --json").json[0]
    assert entry["changes"]["attributes"] == [None, {"badge": "A* L*", "height": "180"}]
    assert entry["masked"] == ["changes.attributes"]


def test_what_the_caller_gives_is_not_masked_back(run):
    assert run("user add alice --attribute badge=Ann --json").json["attributes"] == {"badge": "Ann"}
    done = run("user set alice --add-attribute badge=Bea --json").json
    assert done["changes"]["attributes"] == [{"badge": "A*"}, {"badge": "Bea"}]
    assert run("user list --attribute badge=Bea --json --fields attributes").json == [{"attributes": {"badge": "Bea"}}]


def test_to_give_a_value_shows_no_other_attribute_that_has_it(run):
    run.configure("[attribute.open]\ntype='boolean'\n[attribute.secret]\ntype='boolean'\nmask='text'\n")
    run("user add alice --attribute secret=yes")
    assert run("user set alice --add-attribute open=yes --json").json["attributes"] == {"open": True, "secret": "***"}
    listed = run("user list --attribute open=true --json --fields attributes").json
    assert listed[0]["attributes"]["secret"] == "***"


def test_numbers_and_truths_can_be_masked_too(run):
    run.configure("[attribute.height]\ntype='integer'\nmask='text'\n[attribute.vip]\ntype='boolean'\nmask='text'\n")
    run("user add alice --attribute height=180 --attribute vip=no")
    assert held(run) == {"height": "***", "vip": "***"}
    assert held(run, more="--reveal") == {"height": 180, "vip": False}


# -- found -------------------------------------------------------------------------------------------------------------


def test_users_are_found_by_value(run):
    run(f"user add alice {ALICE}")
    run("user add bob --attribute department=研发 --attribute height=9 --attribute hired=2019-12-31")
    run("user add carol")
    for options, found in {
        "department=SALES": ["alice"],
        "height": ["alice", "bob"],
        "height=0009": ["bob"],
        "height>9": ["alice"],
        "height>=9": ["alice", "bob"],
        "height<100": ["bob"],
        "height<=-1": [],
        "hired<2020-01-01": ["bob"],
        "vip=true": ["alice"],
        "vip=false": [],
        "height height<100": ["bob"],
        "department=Sales height<100": [],
    }.items():
        assert names(run, *(word for one in options.split() for word in ("--attribute", one))) == found, options
    assert names(run, "--attribute", "height", "--status", "suspended") == []


def test_a_search_looks_into_texts_and_choices(run):
    run("user add alice --attribute department=研发 --attribute badge=Xy-1")
    run("user add bob --attribute height=77")
    assert names(run, "--search", "发") == names(run, "--search", "xY-") == ["alice"]
    assert names(run, "--search", "ali") == ["alice"]
    assert names(run, "--search", "77") == []
    # two characters are found by their index, also once the value is another, or came with a file
    assert names(run, "--search", "研发") == ["alice"]
    run("user set alice --add-attribute badge=销售")
    assert (names(run, "--search", "y-"), names(run, "--search", "销售")) == ([], ["alice"])
    run("import users -", stdin="username,attribute.department\ncarol,研发\n")
    assert names(run, "--search", "研发") == ["alice", "carol"]
    run("user set alice --remove-attribute badge")
    assert names(run, "--search", "销售") == []
    run("audit verify --state")


def test_bulk_commands_choose_by_attribute(run):
    for name in "abc":
        run(f"user add {name} --attribute height={ord(name)}")
    run(["user", "suspend", "--attribute", "height>97"], exit=9)
    run(["user", "suspend", "--attribute", "height>97", "--yes"])
    assert names(run, "--status", "suspended") == ["b", "c"]
    run(["user", "set", "--attribute", "height>97", "--add-attribute", "vip=1", "--yes"])
    assert names(run, "--attribute", "vip=yes") == ["b", "c"]
    assert run(["export", "users", "-o", "ndjson", "--attribute", "height=97"]).out.count("\n") == 1


UNSOUGHT = [
    ("departmnt=x", 3, "did you mean department?"),
    ("nosuch", 3, "one of department"),
    ("__proto__=1", 3, "There is no attribute"),
    ("height=", 6, "height alone chooses all who have it"),
    ("height>x", 6, "it is not a whole number"),
    ("department=x", 6, "it must be one of"),
    ("badge>a", 6, "only whole numbers and dates have an order"),
    ("vip<=true", 6, "only whole numbers and dates have an order"),
    ("badge=\x1b", 6, "U+001B"),
    ("x" * 100_000, 3, "There is no attribute"),
]


def test_what_cannot_be_looked_for_is_refused(run):
    for word, code, said in UNSOUGHT:
        answer = run(["user", "list", "--attribute", word], exit=code)
        assert said in answer.err, word[:50]
        assert len(answer.err) < 400


@pytest.mark.parametrize(
    ("index", "op", "value"),
    [("value", "=", "x"), ("number", ">", 4), ("value", "<", "2020-01-01"), ("value", "any", None)],
)
def test_users_are_found_by_an_index(run, index, op, value):
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[run.engine].dialect()
    query = sa.select(user.c.id).where(compile_predicate(Compare("attribute", op, ("badge", value)), FIELDS))
    text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    plan = str(run.sql(f"EXPLAIN QUERY PLAN {text}")) if run.engine == "sqlite" else plan_of(run, text)
    assert f"ix_user_attribute_name_{index}" in plan


def plan_of(run, query):
    import psycopg

    with psycopg.connect(run.url.replace("+psycopg", "")) as connection:
        # nothing is so small that it is better read whole, or user by user
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_nestloop = off")
        return str(connection.execute(f"EXPLAIN {query}").fetchall())


# -- declared otherwise since ------------------------------------------------------------------------------------------


def test_a_value_stays_when_nobody_declares_it_any_more(run):
    run(f"user add alice {ALICE}")
    run("user add bob")
    run.configure("[attribute.vip]\ntype = 'boolean'\n")
    # nobody says any more how it is to be masked, so it is hidden
    assert held(run) == {"department": "***", "height": "***", "hired": "***", "vip": True}
    assert held(run, more="--reveal") == {"department": "Sales", "height": "180", "hired": "2024-03-01", "vip": True}
    assert "There is no attribute height" in run("user set alice --add-attribute height=3", exit=3).err
    assert names(run, "--attribute", "height") == names(run, "--attribute", "department=Sales") == ["alice"]
    assert "have an order" in run(["user", "list", "--attribute", "height>3"], exit=6).err
    run("user set --attribute height --remove-attribute height --yes")
    assert run("user list --attribute height", exit=3).out == ""
    assert held(run) == {"department": "***", "hired": "***", "vip": True}
    run("user set alice --phone 13800138000 --add-attribute department=")
    assert held(run) == {"hired": "***", "vip": True}
    assert run("audit verify --state --json").json["holds"]


def test_a_value_that_fits_its_declaration_no_more_is_shown_as_it_is(run):
    run("user add alice --attribute badge=tall --attribute department=Sales --attribute vip=yes")
    run.configure(
        "[attribute.badge]\ntype='integer'\n[attribute.vip]\ntype='text'\n[attribute.department]\nchoices=['B']\n"
    )
    assert held(run) == {"badge": "tall", "department": "Sales", "vip": "true"}
    assert names(run, "--attribute", "badge>0") == []
    run("user set alice --add-attribute badge=7 --occupation x")
    assert names(run, "--attribute", "badge>0") == ["alice"]


def test_a_number_is_compared_as_one_whatever_it_was_declared_as(run):
    for name, value in (("a", "9"), ("b", "10"), ("c", "007")):
        run(f"user add {name} --attribute badge={value}")
    run.configure("[attribute.badge]\ntype = 'integer'\n")
    assert names(run, "--attribute", "badge>=10") == ["b"]
    # it was no number when it was written, and is one only when it is written again
    assert names(run, "--attribute", "badge<10") == ["a"]


# -- the audit ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE user_attribute SET value = '181', number = 181 WHERE name = 'height'",
        "UPDATE user_attribute SET number = 1 WHERE name = 'height'",
        "UPDATE user_attribute SET number = NULL WHERE name = 'height'",
        "UPDATE user_attribute SET number = 1 WHERE name = 'vip'",
        "DELETE FROM user_attribute WHERE name = 'vip'",
        "INSERT INTO user_attribute (user_id, name, value) SELECT user_id, 'badge', 'x' FROM user_attribute LIMIT 1",
    ],
)
def test_a_change_behind_the_program_s_back_shows(run, change):
    run(f"user add alice {ALICE}")
    run("user set alice --add-attribute height=190")
    run("user set alice --add-attribute height=180")
    assert run("audit verify --state --json").json["holds"]
    run.sql(change)
    found = run("audit verify --state --json", exit=12).json["findings"]
    assert [one["fields"][0].partition(":")[0] for one in found] == ["attributes"]


def test_values_stand_in_the_personal_part_of_an_entry(run):
    run("user add alice --attribute badge=Ann")
    assert "Ann" not in str(run.sql("SELECT body FROM audit_entry"))
    assert "Ann" in str(run.sql("SELECT body FROM audit_pii"))


# -- completion --------------------------------------------------------------------------------------------------------


def tab(run, line):
    whole = {**run.env, "_USERMGMT_COMPLETE": "bash", "COMP_LINE": f"usermgmt {line}"}
    return sorted(completion._answer(whole, []))


def test_names_and_choices_complete(run):
    assert tab(run, "user add bob --attribute ") == ["badge", "department", "height", "hired", "vip"]
    assert tab(run, "user list --attribute department=") == ["Sales", "研发"]
    assert tab(run, "user set --add-attribute vip=t") == ["true"]
    assert tab(run, "user set --remove-attribute he") == ["height"]
    run.configure("broken")
    assert tab(run, "user set --remove-attribute he") == []


# -- every value -------------------------------------------------------------------------------------------------------

KINDS = [
    Attribute("x", "text"),
    Attribute("x", "integer"),
    Attribute("x", "boolean"),
    Attribute("x", "date"),
    Attribute("x", "choice", ("a", "B", "研发", "true", "7")),
]


@given(
    st.sampled_from(KINDS), st.one_of(st.text(), st.integers().map(str), st.dates().map(str), st.booleans().map(str))
)
def test_what_is_kept_is_read_as_itself_again(attribute, text):
    try:
        kept = attributes.read(attribute, text)
    except InvalidField:
        return
    assert attributes.read(attribute, kept) == kept
    shown = attributes.typed({"x": attribute}, {"x": kept})["x"]
    assert (str(shown).lower() if isinstance(shown, bool) else str(shown)) == kept
    assert (attribute.type == "integer") <= (attributes.number(kept) == shown)


@given(
    st.dictionaries(st.sampled_from("abcd"), st.text(min_size=1)),
    st.dictionaries(st.sampled_from(["a", "b", ""]), st.none() | st.text(min_size=1)),
)
def test_edits_name_what_they_change(before, edits):
    after = attributes.merged(before, edits)
    for name in "abcd":
        left = None if attributes.ALL in edits else before.get(name)
        assert after.get(name) == edits.get(name, left)
    assert attributes.merged(after, {}) == after == dict(sorted(after.items()))
