"""Rows written in bulk: what goes in comes out, whatever the texts hold; what is refused leaves no trace."""

from __future__ import annotations

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from usermgmt.kernel import bulk
from usermgmt.kernel.settings import load
from usermgmt.kernel.store import Store, place

TEXTS = st.one_of(
    st.none(),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8),
    st.sampled_from(["", "\\N", "\\.", "\\", "\t", "a\\tb", "\r\n", "NULL", "\\\\n", "😀", "\x85\u2028"]),
)
BIG = st.integers(-(2**63), 2**63 - 1)
THING = sa.table("thing", *(sa.column(name) for name in ("number", "text", "size")))


def opened(run):
    return Store(place(run.url, run.home), load(run.env, run.home, None, {}, 0), run.home)


def test_every_text_and_number_comes_back(run):
    run.sql("CREATE TABLE thing (number BIGINT, text TEXT, size BIGINT)")
    store = opened(run)

    @settings(max_examples=60)
    @given(st.lists(st.tuples(TEXTS, st.one_of(st.none(), BIG)), min_size=1, max_size=4))
    def check(rows):
        numbered = [(number, *row) for number, row in enumerate(rows)]
        with store.writing() as connection:
            bulk.insert_rows(connection, THING, ("number", "text", "size"), numbered)
            assert [tuple(row) for row in connection.execute(sa.select(THING).order_by("number"))] == numbered
            connection.execute(sa.delete(THING))
            bulk.insert(
                connection, THING, dict(zip(("number", "text", "size"), zip(*numbered, strict=True), strict=True))
            )
            assert [tuple(row) for row in connection.execute(sa.select(THING).order_by("number"))] == numbered
            connection.execute(sa.delete(THING))

    check()


def test_a_repeated_import_uses_up_no_ids(run):
    rows = "username,email\n" + "".join(f"u{n},u{n}@example.com\n" for n in range(50))
    run("import users -", stdin=rows)
    run("import users -", stdin=rows)
    # an address that is taken: the batch is refused whole, and then row by row
    run("import users -", stdin="username,email\nx1,x1@example.com\nx2,u7@example.com\n", exit=7)
    run("user add last")
    ids = [int(line) for line in run("user list -o tsv --fields id --no-header").lines]
    assert ids == list(range(1, 53))
