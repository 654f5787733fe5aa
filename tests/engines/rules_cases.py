"""Expressions for tests: a table of odd rows, a schema over it, and random well-typed expressions about it."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import sqlalchemy as sa
from hypothesis import strategies as st

from usermgmt.engines.rules.schema import Field, Schema
from usermgmt.engines.rules.types import BOOL, DOUBLE, INT, SAFE, STRING, TIMESTAMP, list_of
from usermgmt.kernel.columns import BigId, Bool, Text, UtcDateTime

METADATA = sa.MetaData()
THING = sa.Table(
    "thing",
    METADATA,
    sa.Column("id", BigId, primary_key=True),
    *(sa.Column(name, Text) for name in ("s", "t")),
    *(sa.Column(name, BigId) for name in ("n", "m")),
    *(sa.Column(name, sa.Double) for name in ("x", "y")),
    *(sa.Column(name, Bool) for name in ("b", "c")),
    *(sa.Column(name, UtcDateTime) for name in ("u", "v")),
)
LABEL = sa.Table("label", METADATA, sa.Column("thing_id", BigId), sa.Column("label", Text))

TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "aB",
    "abc",
    "b%",
    "_",
    "張",
    "张",
    "张伟",
    "é",
    "e\u0301",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "😀",
    "\U0010ffff",
    "\U0010ffffa",
    "ß",
    "'",
    '"',
    "\\",
    "a\U0010ffff",
]
NUMBERS = [
    -(1 << 63),
    -(1 << 53) - 1,
    -(1 << 53),
    -7,
    -2,
    -1,
    0,
    1,
    2,
    3,
    7,
    1 << 31,
    1 << 53,
    (1 << 53) + 1,
    (1 << 63) - 1,
]
FRACTIONS = [-1.5, -0.0, 0.0, 0.1, 1.0, 1.5, 2.0, 1e300, 5e-324]
# not the very first moment, which the binding of the oracle takes for the infinite past
MOMENTS = [
    "0001-01-01T00:00:00.001Z",
    "0099-12-31T23:59:59.999Z",
    "1969-12-31T23:59:59.500Z",
    "1970-01-01T00:00:00.000Z",
    "2024-02-29T12:00:00.001Z",
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T00:00:00.001Z",
    "9999-12-31T23:59:59.999Z",
]
SPANS = ["0s", "1ms", "-1ms", "1h", "24h", "-720h", "1.5s", "1h30m", "87600h"]
POOLS = {
    "s": TEXTS,
    "t": TEXTS,
    "n": NUMBERS,
    "m": [one for one in NUMBERS if abs(one) <= SAFE],
    "x": FRACTIONS,
    "y": FRACTIONS,
    "b": [True, False],
    "c": [True, False],
    "u": MOMENTS,
    "v": MOMENTS,
}
OF = {
    "s": STRING,
    "t": STRING,
    "n": INT,
    "m": INT,
    "x": DOUBLE,
    "y": DOUBLE,
    "b": BOOL,
    "c": BOOL,
    "u": TIMESTAMP,
    "v": TIMESTAMP,
}


def rows(count: int = 60) -> list[dict]:
    """Rows with values from the pools or none, the same ones each time."""
    dice = random.Random(7)
    made = []
    for number in range(count):
        row: dict = {name: dice.choice([None, *pool]) for name, pool in POOLS.items()}
        made.append({"id": number, **row, "labels": sorted(set(dice.sample(TEXTS, dice.randrange(4))))})
    return made


ROWS = rows()


def fill(connection: sa.Connection) -> None:
    METADATA.create_all(connection)
    connection.execute(sa.insert(THING), [{k: v for k, v in row.items() if k != "labels"} for row in ROWS])
    connection.execute(sa.insert(LABEL), [{"thing_id": r["id"], "label": one} for r in ROWS for one in r["labels"]])


def _labels(op, value):
    mine = LABEL.c.thing_id == THING.c.id
    if op == "size":
        return sa.select(sa.func.count()).select_from(LABEL).where(mine).correlate(THING).scalar_subquery()
    return sa.exists().where(mine, LABEL.c.label == value).correlate(THING)


# maps of one type each, so that the oracle checks types as we do
GROUPS = {"texts": "st", "ints": "nm", "doubles": "xy", "bools": "bc", "times": "uv"}


def _field(group: str, name: str) -> Field:
    column = THING.c[name]
    return Field(f"{group}.{name}", OF[name], lambda _op, _value: column, read=lambda row: row[name])


SCHEMA = Schema(
    {
        **{f"{group}.{name}": _field(group, name) for group, names in GROUPS.items() for name in names},
        "lists.labels": Field("lists.labels", list_of(STRING), _labels, read=lambda row: row["labels"]),
    },
    constants={"now": (TIMESTAMP, "2026-01-01T00:00:00.000Z")},
)
FIELDS = {group: [f"{group}.{name}" for name in names] for group, names in GROUPS.items()}


# -- the oracle --------------------------------------------------------------------------------------------------------


def oracle():
    """Return a function that evaluates an expression with Google's own CEL for a row: its value, or None for an error.

    It raises RuntimeError where the expression itself is refused.
    """
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings

    kinds = {
        "texts": cel.Type.STRING,
        "ints": cel.Type.INT,
        "doubles": cel.Type.DOUBLE,
        "bools": cel.Type.BOOL,
        "times": cel.Type.TIMESTAMP,
    }
    variables = {group: cel.Type.Map(cel.Type.STRING, kind) for group, kind in kinds.items()}
    variables |= {"lists": cel.Type.Map(cel.Type.STRING, cel.Type.List(cel.Type.STRING)), "now": cel.Type.TIMESTAMP}
    env = cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])

    def given(row):
        maps = {
            group: {n: _moment(row[n]) if group == "times" else row[n] for n in names if row[n] is not None}
            for group, names in GROUPS.items()
        }
        return {**maps, "lists": {"labels": row["labels"]}, "now": datetime(2026, 1, 1, tzinfo=UTC)}

    data = [given(row) for row in ROWS]

    def ask(source):
        compiled = env.compile(source)
        answers = [compiled.eval(data=one) for one in data]
        return [None if one.type() == cel.Type.ERROR else one.value() for one in answers]

    ask.alone = lambda source: env.compile(source).eval(data={})
    return ask


def _moment(text):
    return datetime.fromisoformat(text)


# -- random expressions, as text: each in brackets, so that precedence is another test's matter ------------------------


def _quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


LITERALS = {
    "texts": st.sampled_from(TEXTS).map(_quoted),
    "ints": st.sampled_from(NUMBERS).map(str),
    "doubles": st.sampled_from(FRACTIONS).map(lambda x: f"{x:.17e}"),
    "bools": st.sampled_from(["true", "false"]),
    "times": st.one_of(st.sampled_from(MOMENTS).map(lambda t: f'timestamp("{t}")'), st.just("now")),
    "span": st.sampled_from(SPANS).map(lambda d: f'duration("{d}")'),
}
FIELD = {group: st.sampled_from(names) for group, names in FIELDS.items()}
SAFE_NUMBER = st.sampled_from(["-7", "-2", "-1", "0", "1", "2", "3", "7"])


def _format(pattern: str, *parts: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(*parts).map(lambda made: pattern.format(*made))


def leaf(group: str) -> st.SearchStrategy:
    return st.one_of(FIELD[group], LITERALS[group])


def texts(depth: int) -> st.SearchStrategy:
    if depth <= 0:
        return leaf("texts")
    inner = texts(depth - 1)
    return st.one_of(
        leaf("texts"),
        _format("({} + {})", inner, inner),
        _format(
            "{}.{}()", st.one_of(FIELD["texts"], _format("({})", inner)), st.sampled_from(["lowerAscii", "upperAscii"])
        ),
        _format("({} ? {} : {})", bools(depth - 1), inner, inner),
    )


def numbers(depth: int) -> st.SearchStrategy:
    if depth <= 0:
        return st.one_of(leaf("ints"), st.just("size(lists.labels)"))
    inner = numbers(depth - 1)
    # larger ones than 2^53 take no part in arithmetic here, as they do in CEL
    small = st.one_of(st.just("ints.m"), SAFE_NUMBER, _format("size({})", texts(depth - 1)))
    return st.one_of(
        inner,
        _format("({} {} {})", small, st.sampled_from("+-*/%"), SAFE_NUMBER),
        _format("({} {} {})", small, st.sampled_from("+-/%"), small),
        _format("(({} + {}) {} {})", small, small, st.sampled_from("+-/%"), small),
        _format("(-({}))", small),
        _format("({} ? {} : {})", bools(depth - 1), inner, inner),
        _format("({}).size()", texts(depth - 1)),
    )


def times(depth: int) -> st.SearchStrategy:
    flat = leaf("times")
    if depth <= 0:
        return flat
    return st.one_of(
        flat,
        _format("({} {} {})", flat, st.sampled_from("+-"), LITERALS["span"]),
        _format("({} + {})", LITERALS["span"], flat),
        _format("({} ? {} : {})", bools(depth - 1), times(depth - 1), times(depth - 1)),
    )


def spans() -> st.SearchStrategy:
    return st.one_of(LITERALS["span"], _format("({} - {})", leaf("times"), leaf("times")))


ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def compared(depth: int) -> st.SearchStrategy:
    doubles = leaf("doubles")
    return st.one_of(
        _format("({} {} {})", texts(depth), ORDER, texts(depth)),
        _format("({} {} {})", numbers(depth), ORDER, numbers(depth)),
        _format("({} {} {})", doubles, ORDER, doubles),
        _format("({} {} {})", times(depth), ORDER, times(depth)),
        _format("({} {} {})", spans(), ORDER, spans()),
        _format(
            "{}.{}({})",
            _format("({})", texts(depth)),
            st.sampled_from(["startsWith", "endsWith", "contains"]),
            texts(depth),
        ),
        _format("({} in [{}])", texts(depth), st.lists(LITERALS["texts"], min_size=1, max_size=4).map(", ".join)),
        _format("({} in [{}])", numbers(depth), st.lists(LITERALS["ints"], min_size=1, max_size=4).map(", ".join)),
        _format("({} in [{}])", times(depth), st.lists(LITERALS["times"], min_size=1, max_size=4).map(", ".join)),
        _format("({} in [])", FIELD["texts"]),
        _format("({} in lists.labels)", leaf("texts")),
        _format("has({})", st.one_of(*FIELD.values())),
    )


def bools(depth: int) -> st.SearchStrategy:
    if depth <= 0:
        return st.one_of(FIELD["bools"], compared(0))
    inner = st.deferred(lambda: bools(depth - 1))
    return st.one_of(
        compared(depth - 1),
        leaf("bools"),
        _format("(!{})", inner),
        _format("({} == {})", inner, inner),
        _format("({} != {})", inner, inner),
        _format("({} ? {} : {})", inner, inner, inner),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: "(" + " && ".join(parts) + ")"),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: "(" + " || ".join(parts) + ")"),
    )


EXPRESSIONS = bools(3)
