"""Predicates that mean rows: what they compile to on both engines, and that they find what they say."""

from __future__ import annotations

import operator

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from usermgmt.kernel.selectors import And, Compare, column, compile_predicate, contains, starts_with

THING = sa.table("thing", sa.column("id", sa.INTEGER), sa.column("name", sa.TEXT), sa.column("mark", sa.TEXT))
FIELDS = {"id": column(THING.c.id), "name": column(THING.c.name), "mark": column(THING.c.mark)}


def sql(condition, dialect):
    return str(condition.compile(dialect=dialect.dialect(), compile_kwargs={"literal_binds": True}))


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (Compare("id", "=", 1), "thing.id = 1"),
        (Compare("name", "=", None), "thing.name IS NULL"),
        (Compare("name", "!=", None), "thing.name IS NOT NULL"),
        (Compare("id", "in", (1, 2)), "thing.id IN (1, 2)"),
        (Compare("name", ">=", "a"), "thing.name >= 'a'"),
        (And(()), "1 = 1"),
        (And((Compare("id", "<", 3), Compare("id", ">", 1))), "thing.id < 3 AND thing.id > 1"),
        (And((And((Compare("id", "<=", 3),)), Compare("name", "!=", "x"))), "thing.id <= 3 AND thing.name != 'x'"),
    ],
)
def test_what_a_predicate_compiles_to(tree, text):
    assert sql(compile_predicate(tree, FIELDS), sqlite) == text
    assert sql(compile_predicate(tree, FIELDS), postgresql).replace("true", "1 = 1").replace("false", "0 = 1") == text


def test_position_has_its_own_name_on_each_engine():
    assert sql(contains(THING.c.name, "50%"), sqlite) == "instr(thing.name, '50%') > 0"
    assert sql(contains(THING.c.name, "a"), postgresql) == "strpos(thing.name, 'a') > 0"


def test_a_beginning_is_a_range_that_an_index_answers():
    assert sql(starts_with(THING.c.name, "ab"), sqlite) == "thing.name >= 'ab' AND thing.name < 'ac'"
    # the range ends before what no text that begins so can reach
    assert sql(starts_with(THING.c.name, "a\ud7ff"), sqlite) == "thing.name >= 'a\ud7ff' AND thing.name < 'a\ue000'"
    assert sql(starts_with(THING.c.name, "a\U0010ffff"), sqlite) == "thing.name >= 'a\U0010ffff' AND thing.name < 'b'"
    assert sql(starts_with(THING.c.name, "\U0010ffff"), sqlite) == "thing.name >= '\U0010ffff'"
    assert sql(starts_with(THING.c.name, ""), postgresql) == "true"


def test_a_field_that_is_not_there_is_a_fault():
    with pytest.raises(KeyError):
        compile_predicate(Compare("nosuch", "=", 1), FIELDS)
    with pytest.raises(KeyError):
        compile_predicate(Compare("id", "~", 1), FIELDS)


NAMES = ["", "a", "A", "ab", "abc", "b%", "_", "张", "张伟", "\U0010fffe", "a\U0010ffff", "\U0010ffffa"]
ROWS = [(n, name, "x" if n % 3 else None) for n, name in enumerate(NAMES)]


@pytest.fixture(scope="module")
def connection():
    engine = sa.create_engine("sqlite://")
    with engine.connect() as made:
        made.exec_driver_sql("CREATE TABLE thing (id INTEGER, name TEXT, mark TEXT)")
        made.execute(sa.insert(THING), [dict(zip(("id", "name", "mark"), row, strict=True)) for row in ROWS])
        yield made
    engine.dispose()


COMPARISONS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "prefix": str.startswith,
    "contains": str.__contains__,
}
LEAVES = st.one_of(
    st.builds(Compare, st.just("name"), st.sampled_from(sorted(COMPARISONS)), st.sampled_from(NAMES)),
    st.builds(Compare, st.just("id"), st.just("in"), st.lists(st.integers(0, 12)).map(tuple)),
    st.builds(Compare, st.just("mark"), st.sampled_from(["=", "!="]), st.none()),
)
TREES = st.recursive(
    LEAVES,
    lambda part: st.lists(part, max_size=3).map(lambda parts: And(tuple(parts))),
    max_leaves=8,
)


def holds(tree, row):
    match tree:
        case And(parts):
            return all(holds(part, row) for part in parts)
    value = dict(zip(("id", "name", "mark"), row, strict=True))[tree.field]
    return value in tree.value if tree.op == "in" else COMPARISONS[tree.op](value, tree.value)


@given(tree=TREES)
def test_a_predicate_finds_the_rows_for_which_it_holds(connection, tree):
    query = sa.select(THING.c.id).where(compile_predicate(tree, FIELDS)).order_by(THING.c.id)
    assert list(connection.execute(query).scalars()) == [row[0] for row in ROWS if holds(tree, row)]
    assert sql(compile_predicate(tree, FIELDS), postgresql)
