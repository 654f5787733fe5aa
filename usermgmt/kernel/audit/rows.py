"""The raw rows of the log, in the order and shape that the verifier and an export take, as the driver gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from usermgmt.kernel.audit.format import EntryRow, PartRow

_AT_ONCE = 5000
_ENTRIES = "SELECT seq, at, change_id, actor, via, action, target, outcome, body, commits, hash FROM audit_entry"
_PARTS = "SELECT seq, part, subject, salt, body FROM audit_pii"


def entries(connection: Connection, last: int | None = None) -> Iterator[EntryRow]:
    """Yield every entry up to ``last``, oldest first; only as many as the driver fetches at once are in memory."""
    return _rows(connection, f"{_ENTRIES}{_up_to(last)} ORDER BY seq")


def parts(connection: Connection, last: int | None = None) -> Iterator[PartRow]:
    """Yield every personal part of entries up to ``last``, in the order of entry and number."""
    return _rows(connection, f"{_PARTS}{_up_to(last)} ORDER BY seq, part")


def _up_to(last: int | None) -> str:
    return "" if last is None else f" WHERE seq <= {last:d}"


def _rows(connection: Connection, statement: str) -> Iterator[Any]:
    # below SQLAlchemy's rows: over a million entries they would cost as much as the hashing
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        # no generator of ours around it: one that is left early would be ended after its connection, and complain
        return iter(raw.execute(statement))
    return _streamed(raw, statement)


def _streamed(raw: Any, statement: str) -> Iterator[Any]:
    from usermgmt.kernel import postgres

    with postgres.guarded(0), raw.cursor(f"rows_{len(statement)}") as cursor:
        cursor.itersize = _AT_ONCE
        yield from cursor.execute(statement)
