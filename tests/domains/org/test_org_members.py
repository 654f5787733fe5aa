"""Users in units: given, found, their superiors, imported and exported, copied; on both engines."""

from __future__ import annotations

import re
import textwrap
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from usermgmt.domains.help.topics import DOCS
from usermgmt.domains.user import units
from usermgmt.domains.user.errors import UnitNotFound
from usermgmt.kernel import completion
from usermgmt.kernel import sqlite as stores
from usermgmt.kernel.errors import UsageProblem


@pytest.fixture
def tree(run):
    """A tree with alice at the top, bob in the middle, and a unit beside it that begins with the same characters."""
    for name in ("alice", "bob", "carol", "dave", "erin"):
        run(f"user add {name}")
    run("org add 华东 --head alice")
    run("org add 华东/销售 --head bob")
    run("org add 华东/销售/一部")
    run("org add 华东2")
    for name, unit in (("alice", "华东"), ("bob", "华东/销售"), ("carol", "华东/销售/一部"), ("dave", "华东2")):
        run(f"user set {name} --org {unit}")
    return run


def names(run, line):
    return [row["username"] for row in run(f"{line} --json").json]


def holds(run):
    return run("audit verify --state --json").json["holds"]


# -- given and found ---------------------------------------------------------------------------------------------------


def test_a_user_is_put_into_a_unit_and_taken_out(run):
    run("org add 华东/销售 --parents")
    assert run("user add alice --org 华东/销售 --json").json["org"] == "华东/销售"
    done = run("user set alice --org id:1 --json").json
    assert (done["org"], done["changes"], done["version"]) == ("华东", {"org": ["华东/销售", "华东"]}, 2)
    assert run("user set alice --org 华东 --json").json["outcome"] == "unchanged"
    assert run("user ensure alice --org 华东 --json").json["outcome"] == "unchanged"
    assert run("user ensure bob --org 华东 --json").json["outcome"] == "created"
    assert run("user list --fields username,org --no-header").out == "alice\t华东\nbob\t华东\n"
    assert run(["user", "set", "alice", "--org", "", "--json"]).json["org"] is None
    assert run("user show alice --json").json["org"] is None
    assert run("user set alice --org 华东 --dry-run --json").json["org"] == "华东"
    assert run("org members 华东 -o count").out == "1\n"
    assert holds(run)


def test_an_unknown_unit_is_refused_and_changes_nothing(tree):
    run = tree
    for line in ("user add zoe --org 华中", "user set alice --org 华中 --display-name x", "user list --org 华中"):
        assert run(f"{line} --json", exit=3).error["code"] == "org.not_found"
    assert run("user show alice --json --fields display_name,version").json == {"display_name": None, "version": 2}
    run("user exists zoe", exit=3)


def test_a_unit_chooses_its_users_and_those_below_and_nobody_beside(tree):
    run = tree
    assert names(run, "user list --org 华东") == ["alice", "bob", "carol"]
    assert names(run, "user list --org 华东2") == ["dave"]
    assert names(run, "user list --org 华东/销售/一部 --org 华东2") == ["carol", "dave"]
    assert names(run, "user list --org 华东 --status suspended") == []
    assert names(run, "org members 华东") == ["alice"]
    assert names(run, "org members 华东 --below") == ["alice", "bob", "carol"]
    run("user suspend --org 华东/销售 --yes")
    assert names(run, "user list --status suspended") == ["bob", "carol"]
    assert run("export users -o ndjson --org 华东2").out.count("\n") == 1
    # what the unit is called now does not matter, where it stands does
    run("org move 华东/销售 华东2")
    assert names(run, "user list --org 华东") == ["alice"]
    assert names(run, "user list --org 华东2") == ["bob", "carol", "dave"]


def test_many_are_put_into_a_unit_at_once(tree):
    run = tree
    done = run("user set --tag new --org 华东2 --yes --json").json
    assert done == []
    run("user tag alice erin --add-tag new")
    done = run("user set --tag new --org 华东2 --yes --json").json
    assert [one["org"] for one in done] == ["华东2", "华东2"]
    # the unit chooses nobody here: no user is named
    run("user set --org 华东 --locale zh", exit=2)
    chosen = run("user list --org 华东/销售 -o ids").out
    run("user set --from-file - --org 华东 --yes", stdin=chosen)
    assert names(run, "org members 华东") == ["bob", "carol"]
    assert holds(run)


def test_a_removed_user_leaves_the_unit(tree):
    run = tree
    run("user remove dave --yes")
    run("org remove 华东2 --yes")
    assert run.sql("SELECT user_id FROM user_org ORDER BY user_id") == [(1,), (2,), (3,)]
    assert holds(run)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda one: one.name)
def test_a_unit_and_all_below_it_are_two_ranges_of_an_index(dialect):
    query = sa.select(units.unit.c.id).where(units.within("a/b"))
    text = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert "path_norm = 'a/b' OR org_unit.path_norm >= 'a/b/' AND org_unit.path_norm < 'a/b0'" in text


@pytest.mark.engines("sqlite")
def test_the_users_of_a_unit_are_found_by_indexes(tree):
    query = units.members("华东").compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    plan = str(tree.sql(f"EXPLAIN QUERY PLAN {query}"))
    assert "SCAN" not in plan
    assert "ix_user_org_org_id_user_id" in plan


# -- superiors ---------------------------------------------------------------------------------------------------------


def superior(run, user):
    return run(f"user show {user} --json --fields superior").json["superior"]


def test_the_superior_is_the_head_of_the_unit_or_of_the_nearest_above(tree):
    run = tree
    assert [superior(run, name) for name in ("carol", "bob", "alice", "dave", "erin")] == [
        "bob",
        "alice",
        None,
        None,
        None,
    ]
    run("org set 华东/销售/一部 --head bob")
    assert superior(run, "carol") == "bob"
    # one head of two units is one superior; nobody is their own
    assert run("org show 华东/销售/一部 --json --fields superiors").json["superiors"] == ["alice"]
    run("user set bob --org 华东/销售/一部")
    assert superior(run, "bob") == "alice"
    run("org set 华东/销售/一部 --head erin")
    assert superior(run, "bob") == "erin"


def test_who_does_not_count_is_nobodys_superior(tree):
    run = tree
    run("user suspend bob")
    assert superior(run, "carol") == "alice"
    run("user set alice --valid-until 2001-01-01")
    assert superior(run, "carol") is None
    run("user activate bob")
    assert superior(run, "carol") == "bob"


@pytest.mark.engines("sqlite")
def test_the_scope_of_a_unit_reaches_it_and_what_is_below(tree):
    engine = stores.engine(tree.path, busy_timeout=1)
    with engine.connect() as connection:
        ctx = SimpleNamespace(db=connection)
        norm = units.scope(ctx, "org:华东")
        reached = connection.execute(sa.select(units.unit.c.path).where(units.within(norm))).scalars().all()
        assert sorted(reached) == ["华东", "华东/销售", "华东/销售/一部"]
        with pytest.raises(UnitNotFound):
            units.scope(ctx, "org:华中")
        for text in ("华东", "tag:华东", ""):
            with pytest.raises(UsageProblem):
                units.scope(ctx, text)
    engine.dispose()


# -- files -------------------------------------------------------------------------------------------------------------


def test_an_export_comes_back_as_it_was(tree, tmp_path):
    run = tree
    for form in ("csv", "json", "ndjson"):
        before = run(f"export users -o {form}").data
        (tmp_path / f"users.{form}").write_bytes(before)
        assert run(f"import users {tmp_path}/users.{form} --json").json["unchanged"] == 5
        ids = run("user list -o ids").out
        run(["org", "set", "华东", "--head", ""])
        run(["org", "set", "华东/销售", "--head", ""])
        run("user remove - --confirm-count 5", stdin=ids)
        assert run(f"import users {tmp_path}/users.{form} --json").json["created"] == 5
        assert run(f"export users -o {form}").data == before
    assert holds(run)


def test_a_record_with_an_unknown_unit_is_refused_with_its_line(tree, tmp_path):
    run = tree
    report = tmp_path / "report.csv"
    file = "username,org\nu1,华东\nu2,华中\nu3,\nu4,a//b\nu5,华东/销售/\n"
    done = run(f"import users - --report {report} --json", stdin=file, exit=7).json
    assert (done["created"], done["rejected"]) == (3, 2)
    told = report.read_text().splitlines()
    assert any("u2" in line and "3,rejected,org.not_found" in line for line in told)
    assert any("u4" in line and "5,rejected,org.invalid" in line for line in told)
    assert names(run, "org members 华东") == ["alice", "u1"]
    assert names(run, "org members 华东/销售") == ["bob", "u5"]
    # where one stops at the first, or saves all or nothing, as well
    for mode in ("stop", "rollback"):
        file = f"username,org\n{mode}1,华东\n{mode}2,华中\n"
        run(f"import users - --on-error {mode}", stdin=file, exit=None)
        run(f"user exists {mode}2", exit=3)
    assert holds(run)


def test_a_file_moves_users_and_takes_them_out(tree):
    run = tree
    file = "username,org\nalice,华东2\nbob,\n"
    assert run("import users - --json", stdin=file, exit=7).json["rejected"] == 1
    done = run("import users - --if-exists update --json", stdin=file).json
    assert (done["updated"], done["unchanged"]) == (1, 1)
    assert run("import users - --if-exists update --empty clears --json", stdin=file).json["updated"] == 1
    assert names(run, "org members 华东2") == ["alice", "dave"]
    assert run("user show bob --json").json["org"] is None
    assert holds(run)


# -- copies ------------------------------------------------------------------------------------------------------------


def test_backups_and_copies_carry_the_organisation(tree, tmp_path):
    run = tree
    # a unit that has moved below a later one
    run("org move 华东/销售 华东2")
    before = run("org list --json").out
    run("store backup before.db")
    run("org set 华东2 --name x")
    run("user set carol --org x")
    run("store restore before.db --yes")
    assert run("org list --json").out == before
    run(f"store copy-to {tmp_path}/copy.db")
    copy = {"USERMGMT_STORE": f"{tmp_path}/copy.db"}
    assert run("org list --json", env=copy).out == before
    assert run("user list --org 华东2 -o count", env=copy).out == "3\n"
    assert run("audit verify --state --json", env=copy).json["holds"]


# -- completion --------------------------------------------------------------------------------------------------------


@pytest.mark.engines("sqlite")
def test_units_complete_one_step_at_a_time(tree):
    def offered(line):
        whole = {**tree.env, "_USERMGMT_COMPLETE": "bash", "COMP_LINE": f"usermgmt {line}"}
        return list(completion._answer(whole, []))

    assert offered("org show 华") == ["华东", "华东2"]
    assert offered("user list --org 华东/") == ["华东/销售"]
    assert offered("user set alice --org 华东/销售/") == ["华东/销售/一部"]


# -- the manual --------------------------------------------------------------------------------------------------------


def test_the_session_of_the_manual_does_what_it_says(run):
    for name in ("alice", "bob"):
        run(f"user add {name}")
    session = re.search(r"^    \$.*\n(?:    .*\n)*", (DOCS / "organisation.md").read_text("utf-8"), re.MULTILINE)[0]
    parts = re.split(r"^\$ usermgmt ", textwrap.dedent(session), flags=re.MULTILINE)[1:]
    for part in parts:
        line, _end, answer = part.partition("\n")
        done = run(line, exit=None)
        assert done.out + done.err == answer, line
    assert len(parts) == 7


def test_units_outlive_a_prune_of_the_audit(run):
    run("user add ann")
    run("org add 华东/销售 --parents --head ann")
    run("user set ann --org 华东/销售")
    run("audit prune --before 0s --archive a.ndjson --yes", env={"USERMGMT_AUDIT_RETENTION": "0"})
    run("audit verify --state")
    run("org move 华东/销售 /")
    assert run("user show ann --json").json["org"] == "销售"
    run("audit verify --state")
