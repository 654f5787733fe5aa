"""Column types that mean the same on both engines: what STRICT tables take on SQLite, native types on PostgreSQL.

Times are canonical text in Python (``clock.to_text``): fixed width, so they compare as they are, and a list of a
million rows parses none of them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from pydantic import ConfigDict
from sqlmodel import SQLModel

from usermgmt.kernel.clock import to_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

metadata = SQLModel.metadata
# Set before any model is made: every constraint has a name, so that a migration can find it.
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Model(SQLModel):
    """The base of every table; objects of it are rarely made, so pydantic builds their validators only when one is."""

    model_config = ConfigDict(defer_build=True)  # type: ignore[assignment]


STRICT: dict[str, Any] = {"sqlite_strict": True}
"""Table option of every table: SQLite then refuses values of the wrong type, as PostgreSQL does."""

KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
"""For tables found by their own key only: SQLite then keeps one tree and not two."""

SERIAL: dict[str, Any] = {"sqlite_strict": True, "sqlite_autoincrement": True}
"""For tables with their own ``id``: plain rowids are reused after a removal, AUTOINCREMENT ones are not."""


class Text(sa.types.TypeDecorator[str]):
    """Text that sorts by code point on both engines."""

    impl = sa.TEXT
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL sorts by the database's locale unless told otherwise."""
        return sa.TEXT(collation="C") if dialect.name == "postgresql" else sa.TEXT()


class UtcDateTime(sa.types.TypeDecorator[str]):
    """A moment, as canonical RFC 3339 text in UTC with milliseconds; ``timestamptz`` on PostgreSQL."""

    impl = sa.TEXT
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL has the type, SQLite keeps the text."""
        if dialect.name != "postgresql":
            return sa.TEXT()
        from sqlalchemy.dialects.postgresql import TIMESTAMP

        return TIMESTAMP(timezone=True, precision=3)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Give PostgreSQL's driver the object it wants."""
        return value if value is None or dialect.name != "postgresql" else datetime.fromisoformat(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Return the canonical text from either engine."""
        if value is None:
            return None
        return to_text(value) if dialect.name == "postgresql" else str(value)


class DateText(sa.types.TypeDecorator[str]):
    """A calendar date as ``YYYY-MM-DD``; ``date`` on PostgreSQL."""

    impl = sa.TEXT
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL has the type, SQLite keeps the text."""
        return sa.DATE() if dialect.name == "postgresql" else sa.TEXT()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Give PostgreSQL's driver the object it wants."""
        return value if value is None or dialect.name != "postgresql" else date.fromisoformat(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Return the text from either engine."""
        if value is None:
            return None
        return value.isoformat() if dialect.name == "postgresql" else str(value)


class Bool(sa.types.TypeDecorator[bool]):
    """True or false; 0 or 1 on SQLite, whose STRICT tables have no BOOLEAN."""

    impl = sa.INTEGER
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL has the type."""
        return sa.BOOLEAN() if dialect.name == "postgresql" else sa.INTEGER()

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return a bool from either engine."""
        return None if value is None else bool(value)


class Json(sa.types.TypeDecorator[Any]):
    """A JSON value; JSONB on PostgreSQL, text on SQLite."""

    impl = sa.TEXT
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL can look inside."""
        if dialect.name != "postgresql":
            return sa.TEXT()
        from sqlalchemy.dialects.postgresql import JSONB

        return JSONB()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Write the text on SQLite; the PostgreSQL type does it itself."""
        return value if dialect.name == "postgresql" else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Read the text on SQLite."""
        return value if dialect.name == "postgresql" or value is None else orjson.loads(value)


class BigId(sa.types.TypeDecorator[int]):
    """A 64-bit integer; on SQLite ``INTEGER``, the only type that AUTOINCREMENT takes."""

    impl = sa.BIGINT
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite's INTEGER is 64 bits wide."""
        return sa.BIGINT() if dialect.name == "postgresql" else sa.INTEGER()


def one_of(column: str, values: tuple[str, ...], name: str | None = None) -> sa.CheckConstraint:
    """Return the CHECK that holds ``column`` to an enum's ``values``."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=name or f"{column}_known")


def length(column: str, low: int, high: int) -> sa.CheckConstraint:
    """Return the CHECK that holds the text in ``column`` to ``low``..``high`` code points."""
    return sa.CheckConstraint(f"length({column}) BETWEEN {low} AND {high}", name=f"{column}_length")
