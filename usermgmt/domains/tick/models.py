"""The table of what ticks have done."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field

from usermgmt.kernel import tables as _kernel  # noqa: F401 - one metadata, whichever module came first
from usermgmt.kernel.columns import SERIAL, BigId, Model, Text, UtcDateTime, length


class TickSlot(Model, table=True):
    """One time at which a job was due, and was done or is in hand; ids tell in which order, whatever the clock said."""

    __tablename__ = "tick_slot"
    __table_args__ = (
        length("job", 1, 64),
        sa.CheckConstraint("(leased_by IS NULL) = (lease_until IS NULL)", name="lease_is_whole"),
        sa.CheckConstraint("(done_at IS NULL) = (leased_by IS NOT NULL)", name="done_or_leased"),
        sa.UniqueConstraint("job", "due"),
        SERIAL,
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigId)
    job: str = Field(sa_type=Text)
    due: str = Field(sa_type=UtcDateTime)
    leased_by: str | None = Field(default=None, sa_type=Text)
    lease_until: str | None = Field(default=None, sa_type=UtcDateTime)
    done_at: str | None = Field(default=None, sa_type=UtcDateTime)
