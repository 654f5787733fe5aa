"""Attributes in files: in and out again, one column each, what is refused, and what only some may keep."""

from __future__ import annotations

import csv

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usermgmt.domains.user.importing import UserSession

DECLARED = """
[attribute.department]
choices = ["Sales", "研发"]
[attribute.height]
type = "integer"
[attribute.vip]
type = "boolean"
[attribute.badge]
type = "text"
"""


@pytest.fixture(autouse=True)
def declared(run):
    run.configure(DECLARED)


def bring(run, text, more="", exit=0):  # noqa: A002 - the word of the contract
    form = "ndjson" if text.startswith("{") else "csv"
    return run(f"import users - --from {form} --json {more}", stdin=text, exit=exit)


def held(run):
    rows = run("user list --json --fields username,attributes --reveal").json
    return {row["username"]: row["attributes"] for row in rows}


def emptied(run):
    run("user remove --status active --yes --confirm-count " + run("user list -o count").out.strip())


# -- in and out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_an_export_comes_back_byte_for_byte(run, form):
    run("user add alice --attribute department=sales --attribute height=-5 --attribute vip=yes")
    run(["user", "add", "bob", "--attribute", 'badge==1+1 "q"; \\ {}', "--attribute", "vip=no"])
    run("user add carol")
    before, users = run(f"export users -o {form}").data, held(run)
    assert bring_back(run, before, form)["unchanged"] == 3
    emptied(run)
    assert bring_back(run, before, form)["created"] == 3
    assert held(run) == users
    assert run(f"export users -o {form}").data == before
    assert run("audit verify --state --json").json["holds"]


def bring_back(run, data, form):
    return run(f"import users - --from {form} --json", stdin=data).json


ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "badge": st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20),
        "height": st.integers(-(2**63) + 1, 2**63 - 1),
        "vip": st.booleans(),
        "department": st.sampled_from(["Sales", "研发"]),
    },
)


@pytest.mark.engines("sqlite")
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ATTRIBUTES, min_size=1, max_size=4))
def test_whatever_was_kept_comes_back(run, users):
    for kept in ([None] * 4, users):
        lines = [orjson.dumps({"username": f"u{n}", "attributes": one}).decode() for n, one in enumerate(kept)]
        bring(run, "\n".join(lines), "--empty clears --if-exists update")
    assert [held(run)[f"u{n}"] for n in range(len(users))] == users
    for form in ("csv", "ndjson"):
        assert bring_back(run, run(f"export users -o {form}").data, form)["unchanged"] == 4


# -- columns of their own ----------------------------------------------------------------------------------------------


def test_a_column_can_be_one_attribute(run):
    bring(run, 'username,attribute.department,Attribute.Height,attributes\na,sales,0180,\nb,,7,"{""vip"":true}"\n')
    assert held(run) == {"a": {"department": "Sales", "height": 180}, "b": {"height": 7, "vip": True}}


def test_a_map_can_say_which_column_is_which_attribute(run):
    file = run.home / "map.toml"
    file.write_text(
        '[columns]\n"名" = "username"\n"部门" = { field = "attribute.department", values = { "销售" = "Sales" } }\n'
        '"工号" = "attribute.badge"\n[constants]\n"attribute.vip" = "true"\n'
    )
    bring(run, "名,部门,工号\na,销售,007\n", f"--map {file}")
    assert held(run) == {"a": {"department": "Sales", "badge": "007", "vip": True}}


def test_empty_cells_leave_alone_or_clear(run):
    bring(run, "username,attribute.height,attribute.badge\na,1,x\nb,1,x\n")
    assert bring(run, "username,attribute.height,attributes\na,,\nb,2,\n", "--if-exists update").json["updated"] == 1
    assert held(run) == {"a": {"badge": "x", "height": 1}, "b": {"badge": "x", "height": 2}}
    bring(run, "username,attribute.height\na,\n", "--if-exists update --empty clears")
    assert held(run)["a"] == {"badge": "x"}
    # all of them cleared, but for the one that is given
    bring(run, "username,attributes,attribute.height\nb,,3\n", "--if-exists update --empty clears")
    assert held(run)["b"] == {"height": 3}
    bring(run, '{"username":"b","attributes":{"height":null}}', "--if-exists update --empty clears")
    assert held(run)["b"] == {}
    # somebody new has nothing to clear
    bring(
        run,
        '{"username":"c","attributes":{"height":null,"badge":"x"}}\n{"username":"d","attributes":{"vip":""}}',
        "--empty clears",
    )
    assert (held(run)["c"], held(run)["d"]) == ({"badge": "x"}, {})


def test_json_has_numbers_and_truths(run):
    bring(
        run, '{"username":"a","attributes":{"height":5,"vip":false,"badge":7}}\n{"username":"b","attribute.vip":true}\n'
    )
    assert held(run) == {"a": {"badge": "7", "height": 5, "vip": False}, "b": {"vip": True}}


# -- refused -----------------------------------------------------------------------------------------------------------


BAD = [
    ({"nosuch": 1}, "There is no attribute nosuch."),
    ({"__proto__": {"x": 1}}, "attributes: it is not in the form of such a list"),
    ({"height": 1.5}, "attributes: it is not in the form of such a list"),
    ({"height": [1]}, "attributes: it is not in the form of such a list"),
    ({"height": "x"}, "attribute.height: it is not a whole number"),
    ({"height": 2**63}, "attribute.height: it does not fit into 64 bits"),
    ({"department": "sale"}, "attribute.department: it must be one of Sales, 研发"),
    ({"badge": "x" * 60_000}, "it is longer than"),
    ({"badge": "a\x00b"}, "U+0000 cannot be stored"),
    ("a=b=c", "attributes: it is not in the form of such a list"),
    (["height=1"], "attributes: it is not in the form of such a list"),
    (7, "attributes: it is not in the form of such a list"),
]


def test_a_bad_record_is_refused_with_its_line_and_others_are_not(run):
    records = [
        {"username": "good"},
        *({"username": f"bad{n}", "attributes": cell} for n, (cell, _said) in enumerate(BAD)),
    ]
    text = "".join(orjson.dumps(one).decode() + "\n" for one in records)
    run("import users - --from ndjson --report report.csv", stdin=text, exit=7)
    with (run.home / "report.csv").open(newline="") as report:
        told = list(csv.DictReader(report))
    assert [int(one["line"]) for one in told] == list(range(2, len(records) + 1))
    assert [one for one, (_cell, said) in zip(told, BAD, strict=True) if said not in one["message"]] == []
    assert held(run) == {"good": {}}
    assert bring(run, text, "--drop-invalid").json["created"] == len(BAD)
    assert set(map(str, held(run).values())) == {"{}"}


def test_an_unknown_column_of_an_attribute_refuses_its_records(run):
    answer = bring(run, "username,attribute.departmnt\na,Sales\nb,\n", exit=7)
    assert (answer.json["created"], answer.json["rejected"]) == (1, 1)
    assert "did you mean department?" in answer.err


def test_with_drop_invalid_only_what_is_bad_is_left_out(run):
    bring(run, '{"username":"a","attributes":{"height":"x","vip":true},"attribute.badge":"7"}', "--drop-invalid")
    assert held(run) == {"a": {"badge": "7", "vip": True}}


def test_who_has_a_value_that_nobody_can_be_given_any_more_keeps_it(run):
    run("user add alice --attribute department=Sales --attribute height=180")
    data = run("export users").data
    run.configure("[attribute.department]\nchoices = ['Other']\n[attribute.vip]\ntype = 'boolean'\n")
    assert bring_back(run, data, "csv")["unchanged"] == 1
    done = bring(run, '{"username":"alice","attributes":{"height":"180","vip":true}}', "--if-exists update")
    assert done.json["updated"] == 1
    assert held(run) == {"alice": {"department": "Sales", "height": "180", "vip": True}}
    for refused in (
        '{"username":"alice","attributes":{"height":"181"}}',
        '{"username":"bob","attributes":{"height":"180"}}',
    ):
        assert "There is no attribute height." in bring(run, refused, "--if-exists update", exit=3).err
    assert list(held(run)) == ["alice"]


# -- many --------------------------------------------------------------------------------------------------------------


def test_a_batch_writes_what_one_by_one_would_be_written(run, monkeypatch):
    users = [{"badge": 'quo"te\\'}, {}, {"height": 7, "badge": "7", "vip": True}, {"department": "研发"}, None]
    text = "".join(
        orjson.dumps({"uid": f"01890a5d-ac96-774b-bcce-{n:012d}", "username": f"u{n}", "attributes": one}).decode()
        + "\n"
        for n, one in enumerate(users)
    )
    assert bring(run, text).json["created"] == len(users)
    once = written(run)
    emptied(run)
    monkeypatch.setattr(UserSession, "_write_new", lambda *_args, **_more: None)
    assert bring(run, text).json["created"] == len(users)
    assert written(run) == once
    assert len(once[0]) == 5


def written(run):
    rows = run.sql(
        'SELECT u.uid, a.name, a.value, a.number FROM user_attribute a JOIN "user" u ON u.id = a.user_id ORDER BY 1, 2'
    )
    entries = run.sql(
        "SELECT e.target, p.body FROM audit_entry e JOIN audit_pii p ON p.seq = e.seq "
        "WHERE e.action = 'user.add' ORDER BY e.seq DESC LIMIT 5"
    )
    return rows, entries
