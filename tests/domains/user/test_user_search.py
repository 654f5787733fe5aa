"""Parts of names are found, in any script, and whatever became of a user since."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "store"))
from store_helpers import connected, old_store, old_user

from usermgmt.domains.user import bigrams
from usermgmt.migrations.run import upgrade


def found(run, part, *words):
    return run(["user", "list", "--search", part, "--fields", "username", "--no-header", "-o", "tsv", *words]).lines


def plan(run, part):
    """How SQLite finds ``part``."""
    from sqlalchemy.dialects import sqlite

    condition = bigrams.holding(part)
    if condition is None:
        return ""
    query = str(condition.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    rows = run.sql(f"EXPLAIN QUERY PLAN SELECT id FROM user WHERE {query}")
    return " ".join(row[3] for row in rows)


def test_two_characters_find_a_name(run):
    run("user add zhang --full-name 张伟明 --occupation 教师")
    run("user add li --full-name 李伟 --display-name 明伟")
    run("user add Wang老师 --email 王@例子.中国")
    assert found(run, "伟明") == ["zhang"]
    assert found(run, "张伟明") == ["zhang"]
    assert found(run, "明伟") == ["li"]
    assert found(run, "教师") == ["zhang"]
    assert found(run, "g老") == ["Wang老师"]
    assert found(run, "王@") == ["Wang老师"]
    assert found(run, "伟") == ["zhang", "li"]
    assert found(run, "伟芳") == []
    # no name has both pieces in one place
    assert found(run, "明教") == []


def test_a_name_that_is_given_up_is_found_no_more(run):
    run("user add a --full-name 张伟")
    run("user set a --full-name 张三丰 --display-name 老张")
    assert (found(run, "张伟"), found(run, "张三"), found(run, "老张")) == ([], ["a"], ["a"])
    run("user set a --full-name ''")
    assert (found(run, "张三"), found(run, "老张")) == ([], ["a"])
    run("user rename a 张三")
    assert found(run, "张三") == ["张三"]
    run("user rename 张三 b")
    assert found(run, "张三") == []
    assert run("doctor --json", exit=None).json
    run("user add c --full-name 张三")
    run("user remove c --yes --reason mistake")
    assert found(run, "张三") == []
    assert run.sql("SELECT bigram FROM user_bigram ORDER BY 1") == [("老张",)]


def test_what_is_rehearsed_or_refused_is_not_found(run):
    run("user add a --full-name 张伟 --dry-run")
    run("user add b --full-name 张伟")
    run("user add b --full-name 张三", exit=5)
    assert (found(run, "张伟"), found(run, "张三")) == (["b"], [])


def test_users_of_a_file_are_found(run):
    (run.home / "u.csv").write_text(
        "username,full_name,occupation\na,张伟,ÉCOLE\nb,李四,école\nc,,\n", encoding="utf-8"
    )
    run("import users u.csv")
    assert (found(run, "张伟"), found(run, "李四")) == (["a"], ["b"])
    # letters of other scripts are compared as they are; ASCII without regard to case
    assert (found(run, "École"), found(run, "éCO")) == (["a"], ["b"])
    (run.home / "u.csv").write_text("username,full_name\na,张三\nb,李四\n", encoding="utf-8")
    run("import users u.csv --if-exists update")
    assert (found(run, "张伟"), found(run, "张三"), found(run, "李四")) == ([], ["a"], ["b"])


@pytest.mark.engines("sqlite")
def test_the_index_answers(run):
    for part in ("张伟", "张伟明", "a张"):
        assert "user_bigram" in plan(run, part)
        assert "SCAN" not in plan(run, part)
    for part in ("张", "ab", ""):
        assert plan(run, part) == ""


def test_doctor_makes_a_wrong_index_again(run):
    run("user add a --full-name 张伟明")
    run.sql("DELETE FROM user_bigram WHERE bigram = '伟明'")
    assert found(run, "伟明") == []
    check = {row["check"]: row["severity"] for row in run("doctor --json", exit=10).json}
    assert check["search"] == "warning"
    assert "user_bigram" in run("audit verify --state", exit=12).err
    run("doctor --fix", exit=None)
    run("audit verify --state")
    assert found(run, "伟明") == ["a"]
    assert {row["check"]: row["severity"] for row in run("doctor --json", exit=None).json}["search"] == "ok"
    run.sql("INSERT INTO user_bigram (bigram, user_id) VALUES ('李四', 1)")
    # whoever it names beside the truth is not found by it
    assert found(run, "李四") == []
    assert {row["check"]: row["severity"] for row in run("doctor --json", exit=10).json}["search"] == "warning"


@pytest.mark.store
def test_an_older_store_gets_its_index(run):
    old_store(run)
    with connected(run) as connection:
        upgrade(connection, "0002")
        for n, name in enumerate(("张伟A明", "plain", "李四"), 1):
            old_user(connection, n, full_name=name)
    run(f"store migrate --backup {run.home}/before.db")
    assert (found(run, "张伟"), found(run, "伟a明"), found(run, "李四")) == (["u1"], ["u1"], ["u3"])
    assert {row["check"]: row["severity"] for row in run("doctor --json", exit=None).json}["search"] == "ok"


NAMES = st.text(alphabet="张伟明aA É", min_size=1, max_size=6).map(str.strip).filter(bool)


@pytest.fixture
def crowd(run):
    for n in range(4):
        run(f"user add q{n}")
    return run


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(NAMES | st.just(""), min_size=4, max_size=4), NAMES)
def test_a_search_finds_whom_reading_them_all_finds(crowd, names, part):
    for n, name in enumerate(names):
        crowd(["user", "set", f"q{n}", "--full-name", name])
    small = bigrams.as_name(part)
    assert found(crowd, part) == [f"q{n}" for n, name in enumerate(names) if small in bigrams.as_name(name)]
