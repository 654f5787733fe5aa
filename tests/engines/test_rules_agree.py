"""One expression means one thing: to a record in memory, to both engines, and to Google's own CEL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings
from rules_cases import EXPRESSIONS, ROWS, SCHEMA, THING, fill, oracle

from usermgmt.engines.rules.errors import WrongType
from usermgmt.engines.rules.rule import Rule, rule
from usermgmt.engines.rules.types import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def cel():
    return oracle()


@pytest.fixture(scope="module")
def connections(postgres) -> Iterator[dict[str, sa.Connection]]:
    import sqlcipher3.dbapi2

    name = postgres.database()
    engines = [sa.create_engine("sqlite://", module=sqlcipher3.dbapi2), sa.create_engine(postgres.url(name))]
    made = {one.dialect.name: one.connect().execution_options(isolation_level="AUTOCOMMIT") for one in engines}
    for connection in made.values():
        fill(connection)
    yield made
    for connection in made.values():
        connection.close()
    for engine in engines:
        engine.dispose()
    postgres.drop(name)


def asked(made: Rule) -> list[bool | None]:
    found = [made.holds(row) for row in ROWS]
    return [None if isinstance(one, Unknown) else one for one in found]


def found(connection: sa.Connection, condition: object) -> list[int]:
    return list(connection.execute(sa.select(THING.c.id).where(condition).order_by(THING.c.id)).scalars())


def check(connections, cel, source: str) -> None:
    try:
        made = rule(source, SCHEMA, "--where")
    except WrongType as error:
        refused = error.message
    else:
        refused = ""
    # what we refuse beyond CEL: it could overflow, has no value at all, or computes with computed times
    assert not refused or any(word in refused for word in ("64 bits", "out of range", "computed", "zero", "too large"))
    assume(not refused)
    answers = asked(made)
    assert answers == cel(source), source
    for engine, connection in connections.items():
        assert found(connection, made.condition) == [n for n, one in enumerate(answers) if one is True], (
            engine,
            source,
        )
        assert found(connection, made.unknown) == [n for n, one in enumerate(answers) if one is None], (engine, source)
        opposite = rule(f"!({source})", SCHEMA, "--where")
        assert found(connection, opposite.condition) == [n for n, one in enumerate(answers) if one is False], (
            engine,
            source,
        )


@settings(max_examples=100, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(source=EXPRESSIONS)
def test_record_engines_and_oracle_agree(connections, cel, source):
    check(connections, cel, source)


@pytest.mark.slow
@settings(max_examples=4000, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
@given(source=EXPRESSIONS)
def test_they_agree_for_long(connections, cel, source):
    check(connections, cel, source)
