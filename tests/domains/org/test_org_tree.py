"""Units in a tree: added, shown, renamed, moved, removed, refused; on both engines."""

from __future__ import annotations

import random
from collections import Counter

import pytest


def paths(run, *more):
    return run(["org", "list", *more, "--fields", "path", "--no-header"]).lines


def added(run, *units):
    for unit in units:
        run(["org", "add", unit, "--parents"])


def holds(run):
    return run("audit verify --state --json").json["holds"]


# -- add, list, show ---------------------------------------------------------------------------------------------------


def test_units_stand_in_a_tree(run):
    run("user add alice")
    made = run("org add 华东 --head alice --json").json
    assert (made["outcome"], made["path"], made["head"], made["version"]) == ("created", "华东", "alice", 1)
    run("org add 华东/销售")
    added(run, "华东-2", "华北/客服/热线")
    assert paths(run) == ["华东", "华东/销售", "华东-2", "华北", "华北/客服", "华北/客服/热线"]
    assert paths(run, "华东") == ["华东", "华东/销售"]
    assert paths(run, "--sort", "id") == ["华东", "华东/销售", "华东-2", "华北", "华北/客服", "华北/客服/热线"]
    assert paths(run, "--sort", "-path")[0] == "华北/客服/热线"
    assert run("org list --json").json[1]["parent"] == "华东"
    assert run("org list -o ids --limit 2").out == "id:1\nid:2\n"
    assert run("org list -o count").out == "6\n"
    assert holds(run)


def test_a_table_shows_the_tree_by_indents(run):
    added(run, "东/销售/一部", "西")
    shown = [line.rstrip() for line in run("org list -o table --fields path,units --no-header").lines]
    assert [line.split()[0] for line in shown] == ["东", "销售", "一部", "西"]
    assert [len(line) - len(line.lstrip()) for line in shown] == [0, 2, 4, 0]


def test_show_tells_heads_and_counts(run):
    for name in ("alice", "bob", "carol"):
        run(f"user add {name}")
    run("org add a --head alice")
    run("org add a/b")
    run("org add a/b/c --head bob")
    run("user set carol --org a/b/c")
    run("user set bob --org a")
    told = run("org show a/b/c --json").json
    assert (told["head"], told["superiors"], told["parent"], told["members"]) == ("bob", ["alice"], "a/b", 1)
    told = run("org show a --json").json
    assert (told["superiors"], told["units"], told["members"], told["members_below"]) == ([], 1, 1, 2)


def test_a_unit_is_meant_by_path_id_or_uid(run):
    added(run, "华东/Ｓａｌｅｓ Team")
    uid = run("org show id:2 --json").json["uid"]
    for word in ("华东/sales team", "/华东/SALES  TEAM/", f"uid:{uid}", f"uid:{uid.upper()}", "id:2"):
        assert run(["org", "show", word, "--json"]).json["id"] == 2
    assert run("org show id:2 --fields path").out == "path\t华东/Ｓａｌｅｓ Team\n"


def test_an_unknown_unit_is_3_with_the_nearest(run):
    added(run, "华东/销售", "华北/客服")
    for word, near in (("华东/消售", "华东/销售"), ("华东部", "华东"), ("客服", "华北/客服")):
        error = run(["org", "show", word, "--json"], exit=3).error
        assert (error["code"], error["hint"]) == ("org.not_found", f"did you mean {near}?")
    for word in ("id:99", "id:x", "uid:1", "//", "", "zzzzzzzzz", "a\x1bb", "x" * 100_000):
        assert run(["org", "show", word, "--json"], exit=3).error["code"] == "org.not_found"
    for line in ("org members x", "org move x /", "org move 华东 x", "org set x --name y", "org remove x --yes"):
        run(line, exit=3)


def test_what_is_there_already_is_5_unless_told(run):
    run("user add alice")
    run("org add Sales")
    assert run("org add ＳＡＬＥＳ --json", exit=5).error["code"] == "org.exists"
    assert run("org add sales --if-exists skip --head alice --json").json["outcome"] == "unchanged"
    assert run("org add sales --if-exists update --head alice --json").json["outcome"] == "updated"
    assert run("org add sales --if-exists update --head alice --json").json["outcome"] == "unchanged"
    # the name is as it was given first
    assert paths(run) == ["Sales"]


def test_what_would_stand_below_nothing_is_3(run):
    assert run("org add a/b/c --json", exit=3).error["code"] == "org.parent_not_found"
    assert paths(run) == []
    run("org add a/b/c --parents --head nobody", exit=3)
    assert paths(run) == []


HOSTILE = [
    ("", "it is empty"),
    (" \u3000 ", "it is empty"),
    ("a//b", "it is empty"),
    ("a／b", "it holds /"),
    ("..", "cannot be the name"),
    ("id:7", "cannot be the name"),
    ("ＵＩＤ：x", "cannot be the name"),
    ("a\x1b[2J", "U+001B cannot be stored"),
    ("a\x00b", "U+0000 cannot be stored"),
    ("\ud800", "U+D800 cannot be stored"),
    ("a\u202eb", "U+202E cannot be stored"),
    ("a\u200bb", "U+200B cannot be stored"),
    ("x" * 101, "longer than 100"),
    ("ﷺ" * 10, "longer than 100"),
    ("x" * 1_000_000, "longer than"),
    ("/".join(["x"] * 21), "more than 20 units"),
    ("/".join(["x" * 90] * 6), "longer than 500"),
]


@pytest.mark.parametrize(("name", "problem"), HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.engines("sqlite")
def test_names_that_cannot_be_are_6(run, name, problem):
    error = run(["org", "add", "--parents", "--json", "--", name], exit=6).error
    assert error["code"] == "org.invalid"
    assert problem in error["message"]
    assert len(error["message"]) < 300
    assert paths(run) == []


def test_names_of_any_script_are_kept_and_are_one_by_their_normal_form(run):
    run(["org", "add", "  Büro   Süd "])
    run(["org", "add", "BU\u0308RO SU\u0308D"], exit=5)
    run(["org", "add", "می\u200cخواهم"])
    run(["org", "add", "میخواهم"], exit=5)
    added(run, "销售+市场", "a&b; c, 'd'", "🏢/<script>", "%", "_")
    assert len(paths(run)) == 8
    # no character is a pattern
    assert paths(run, "%") == ["%"]
    assert paths(run, "_") == ["_"]
    assert holds(run)


# -- set, move ---------------------------------------------------------------------------------------------------------


def test_a_rename_changes_the_paths_of_all_below(run):
    added(run, "华东/销售/一部", "华东2/销售")
    done = run("org set 华东 --name 东区 --json").json
    assert (done["outcome"], done["version"]) == ("updated", 2)
    assert done["changes"] == {"name": ["华东", "东区"], "path": ["华东", "东区"]}
    assert paths(run) == ["东区", "东区/销售", "东区/销售/一部", "华东2", "华东2/销售"]
    run("org set 东区/销售/一部 --name 东区")
    assert paths(run, "东区") == ["东区", "东区/销售", "东区/销售/东区"]
    assert run("org set 东区 --name 东区 --json").json["outcome"] == "unchanged"
    assert run("org set 东区 --name 华东2 --json", exit=5).error["code"] == "org.exists"
    run("org set 东区 --name a/b", exit=6)
    run("org set 东区", exit=2)
    assert holds(run)


def test_a_move_takes_all_below_along(run):
    added(run, "华东/销售/一部", "华北", "客服/销售")
    assert run("org move 华东/销售 华北 --json").json["changes"] == {"path": ["华东/销售", "华北/销售"]}
    assert paths(run) == ["华东", "华北", "华北/销售", "华北/销售/一部", "客服", "客服/销售"]
    assert run("org move 华北/销售 id:4 --json").json["outcome"] == "unchanged"
    assert run("org move 华北/销售 客服 --json", exit=5).error["code"] == "org.exists"
    run("org move 华北/销售/一部 /")
    assert paths(run) == ["一部", "华东", "华北", "华北/销售", "客服", "客服/销售"]
    assert run("org show 一部 --json").json["parent"] is None
    run("org move 客服 一部")
    assert paths(run, "一部") == ["一部", "一部/客服", "一部/客服/销售"]
    assert holds(run)


def test_a_move_below_itself_is_5(run):
    added(run, "a/b/c", "a2")
    for place in ("a", "a/b", "a/b/c"):
        error = run(f"org move a {place} --json", exit=5).error
        assert error["code"] == "org.cycle"
    # what begins with the same characters is beside it
    run("org move a a2")
    assert paths(run) == ["a2", "a2/a", "a2/a/b", "a2/a/b/c"]
    assert holds(run)


def test_no_place_is_too_deep_or_too_long_for_what_is_below(run):
    added(run, "/".join("abcdefghij"), "/".join("klmnopqrstu"), "y" * 95 + "/" + "z" * 95, "/".join(["x" * 99] * 4))
    assert run("org move a k/l/m/n/o/p/q/r/s/t/u --json", exit=6).error["code"] == "org.invalid"
    run("org move a/b k/l/m/n/o/p/q/r/s/t/u")
    run(["org", "move", "x" * 99, "y" * 95])
    run(["org", "set", "y" * 95 + "/" + "x" * 99, "--name", "w" * 100])
    assert run(["org", "move", "y" * 95, "k/l/m/n", "--json"], exit=6).error["code"] == "org.invalid"
    assert run(["org", "move", "k/l", "y" * 95 + "/" + "z" * 95, "--json"], exit=6).error["code"] == "org.invalid"
    assert holds(run)


def test_a_head_is_given_and_taken(run):
    run("user add alice")
    run("org add a")
    assert run("org set a --head alice --json").json["changes"] == {"head": [None, "alice"]}
    assert run("org set a --head id:1 --json").json["outcome"] == "unchanged"
    error = run("user remove alice --yes --json", exit=5).error
    assert (error["code"], error["hint"]) == (
        "user.heads_units",
        "usermgmt org set a --head USER gives it another one",
    )
    run("user close alice --yes")
    assert "its head is not active: closed" in run("org set a --name b").out
    assert run(["org", "set", "b", "--head", "", "--json"]).json["head"] is None
    run("user remove alice --yes")
    assert holds(run)


def test_writes_take_a_version(run):
    run("org add a")
    run("org add b")
    run("org set a --name c --if-version 1")
    for line in ("org set c --name d", "org move c b", "org remove c --yes"):
        assert run(f"{line} --if-version 1 --json", exit=5).error["code"] == "stale_version"
    run("org move c b --if-version 2")
    run("org remove b/c --if-version 3 --yes")


# -- remove ------------------------------------------------------------------------------------------------------------


def test_a_unit_in_use_cannot_be_removed(run):
    added(run, "a/b")
    run("user add alice --org a/b")
    assert "1 unit is below it" in run("org remove a --yes --json", exit=5).error["message"]
    error = run("org remove a/b --yes --json", exit=5).error
    assert (error["code"], error["hint"]) == ("org.in_use", "usermgmt org members a/b shows them")
    run(["user", "set", "alice", "--org", ""])
    run("org remove a/b", exit=9)
    assert run("org remove a/b --yes --json").json["outcome"] == "removed"
    run("org remove a/b --yes", exit=3)
    run("org remove a --yes")
    assert paths(run) == []
    assert holds(run)


def test_a_rehearsal_keeps_nothing(run):
    added(run, "a/b", "c")
    for line in ("add d", "set a --name d", "move a c", "remove c", "add e/f/g --parents"):
        assert run(f"org {line} --dry-run --json").json["dry_run"]
    assert run("org add d --dry-run --json").json["id"] is None
    assert paths(run) == ["a", "a/b", "c"]
    assert run("audit list --json --fields action").json[-1] == {"action": "org.add"}


# -- the audit ---------------------------------------------------------------------------------------------------------


def test_every_change_of_a_unit_has_its_entry(run):
    run("user add alice")
    added(run, "a/b")
    run("org set a --head alice")
    run("org move a/b / --reason reshuffle")
    run("org remove b --yes")
    run("org move a a", exit=5)
    rows = run("audit list --json --fields action,target_name,outcome,reason,facts").json
    told = [(row["action"], row["facts"].get("path"), row["outcome"], row["reason"]) for row in rows[2:]]
    assert told == [
        ("org.add", "a", "ok", None),
        ("org.add", "a/b", "ok", None),
        ("org.set", "a", "ok", None),
        ("org.move", "b", "ok", "reshuffle"),
        ("org.remove", "b", "ok", None),
        ("org.move", None, "failed", None),
    ]
    assert rows[2]["target_name"] == "a"


def test_the_entries_of_a_unit_are_found_by_its_path_of_today(run):
    added(run, "a/b", "c")
    uid = run("org show a/b --json").json["uid"]
    run("org move a/b c")
    found = run("audit list --target org:c/b -o ids").out
    assert (found, found.count("\n")) == (run(f"audit list --target org:{uid} -o ids").out, 2)
    assert run("audit list --target org:a/b --json", exit=3).error["code"] == "org.not_found"
    run("org remove c/b --yes")
    assert run(f"audit list --target org:{uid} -o count").out == "3\n"


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ("UPDATE org_unit SET name = 'x' WHERE id = 2", "name, path"),
        ("UPDATE org_unit SET path = 'a/x' WHERE id = 2", "path"),
        ("UPDATE org_unit SET path_norm = 'c/x' WHERE id = 2", "path"),
        ("UPDATE org_unit SET parent_id = 3 WHERE id = 2", "parent, path"),
        ("UPDATE org_unit SET head_user_id = 1 WHERE id = 2", "head"),
        ("UPDATE org_unit SET version = 7 WHERE id = 2", "version"),
        ("DELETE FROM org_unit WHERE id = 3", "none"),
        ("INSERT INTO user_org (user_id, org_id) VALUES (1, 2)", "org"),
        ("UPDATE org_unit SET parent_id = 2, path_norm = 'x/y' WHERE id = 1", "parent, path"),
    ],
)
@pytest.mark.engines("sqlite")
def test_what_was_changed_behind_the_programs_back_shows(run, statement, field):
    run("user add alice")
    added(run, "a/b", "c")
    run.sql(statement)
    findings = run("audit verify --state --json", exit=12).json["findings"]
    assert field in str(findings)


def test_the_schema_keeps_what_sql_can(run):
    run("user add alice")
    added(run, "a/b")
    for statement in (
        "UPDATE org_unit SET parent_id = 1 WHERE id = 1",
        "UPDATE org_unit SET parent_id = NULL WHERE id = 2",
        "UPDATE org_unit SET path_norm = 'a' WHERE id = 2",
        "UPDATE org_unit SET name = '' WHERE id = 2",
    ):
        with pytest.raises(Exception, match=r"(?i)constraint"):
            run.sql(statement)


# -- many moves --------------------------------------------------------------------------------------------------------


def test_after_many_moves_and_renames_it_is_the_same_tree(run):
    dice = random.Random(8)
    names, above = {}, {}
    for number in range(1, 9):
        parent = dice.choice([0, *names])
        names[number], above[number] = f"n{number}", parent
        run(f"org add {path_in(names, above, number)}")
    outcomes = Counter()
    for step in range(16):
        unit, place = dice.choice(list(names)), dice.choice([0, *names])
        if step % 4 == 3:
            name = f"n{dice.randrange(12)}"
            fits = all(above[one] != above[unit] or names[one] != name or one == unit for one in names)
            run(f"org set id:{unit} --name {name}", exit=0 if fits else 5)
            names[unit] = name if fits else names[unit]
        else:
            fits = unit not in way(above, place) and all(
                above[one] != place or names[one] != names[unit] or one == unit for one in names
            )
            run(f"org move id:{unit} {f'id:{place}' if place else '/'}", exit=0 if fits else 5)
            above[unit] = place if fits else above[unit]
        outcomes[fits] += 1
        rows = run("org list --json --fields id,path").json
        assert {row["id"]: row["path"] for row in rows} == {one: path_in(names, above, one) for one in names}
    assert min(outcomes[True], outcomes[False]) > 2
    assert holds(run)


def way(above, unit):
    """The unit and what is above it."""
    found = []
    while unit:
        found.append(unit)
        unit = above[unit]
    return found


def path_in(names, above, unit):
    return "/".join(names[one] for one in reversed(way(above, unit)))
