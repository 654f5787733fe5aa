"""The table of runs: what each import was asked for and how far it came."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from usermgmt.domains.import_.types import State
from usermgmt.kernel import tables as _kernel  # noqa: F401 - one metadata, whichever module came first
from usermgmt.kernel.columns import KEYED, BigId, Json, Model, Text, UtcDateTime, length, one_of


class ImportRun(Model, table=True):
    """One run of an import, changed in the transaction of each of its chunks: what it says is done is in the store.

    ``file`` is named as the caller did, ``report`` by its whole path; ``size`` and ``sha256`` are those of the whole
    file, None for a pipe. ``done`` counts the records, from the first one of the file, that have their outcome;
    ``counts`` says which. ``report_bytes`` is how much of the report belongs to them. ``refusal`` is the first one:
    code and exit code, empty where there was none.
    """

    __tablename__ = "import_run"
    __table_args__ = (
        one_of("state", tuple(State)),
        length("run", 36, 36),
        sa.CheckConstraint("done >= 0", name="done_counts"),
        sa.CheckConstraint("report_bytes >= 0", name="report_bytes_counts"),
        sa.CheckConstraint("(size IS NULL) = (sha256 IS NULL)", name="file_is_known"),
        sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name="ended_has_time"),
        KEYED,
    )

    run: str = Field(primary_key=True, sa_type=Text)
    noun: str = Field(sa_type=Text)
    file: str = Field(sa_type=Text)
    size: int | None = Field(default=None, sa_type=BigId)
    sha256: str | None = Field(default=None, sa_type=Text)
    options: Any = Field(sa_type=Json, nullable=False)
    report: str | None = Field(default=None, sa_type=Text)
    report_bytes: int = Field(sa_type=BigId)
    done: int = Field(sa_type=BigId)
    counts: Any = Field(sa_type=Json, nullable=False)
    refusal: Any = Field(sa_type=Json, nullable=False)
    state: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    started_at: str = Field(sa_type=UtcDateTime)
    updated_at: str = Field(sa_type=UtcDateTime)
    ended_at: str | None = Field(default=None, sa_type=UtcDateTime)
