"""The tables of users; every invariant that SQL can carry stands here."""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field

from usermgmt.domains.user.types import (
    EXTERNAL_ID_MAX,
    NOTE_MAX,
    SYSTEM_MAX,
    TAG_MAX,
    TEXT_LIMITS,
    UNIT_NAME_MAX,
    UNIT_PATH_MAX,
    AddressKind,
    Gender,
    Kind,
    Status,
)
from usermgmt.kernel import tables as _kernel  # noqa: F401 - one metadata, whichever module came first
from usermgmt.kernel.columns import KEYED, SERIAL, BigId, DateText, Model, Text, UtcDateTime, length, one_of
from usermgmt.kernel.settings_attributes import NAME_MAX, VALUE_MAX


def _values(enum: type[Kind | Status | Gender | AddressKind]) -> tuple[str, ...]:
    return tuple(member.value for member in enum)


class User(Model, table=True):
    """A person or service account."""

    __tablename__ = "user"
    __table_args__ = (
        one_of("kind", _values(Kind)),
        one_of("status", _values(Status)),
        one_of("gender", _values(Gender)),
        length("uid", 36, 36),
        length("username", 1, 128),
        length("username_norm", 1, 128),
        length("email", 3, 254),
        length("phone", 4, 16),
        *(length(name, 1, limit) for name, limit in TEXT_LIMITS.items()),
        sa.CheckConstraint("version >= 1", name="version_counts"),
        sa.CheckConstraint("valid_from < valid_until", name="window_is_open"),
        sa.CheckConstraint("(email IS NULL) = (email_norm IS NULL)", name="email_has_norm"),
        sa.Index("ix_user_status_id", "status", "id"),
        sa.Index("ix_user_created_at_id", "created_at", "id"),
        sa.Index("ix_user_skeleton", "skeleton"),
        sa.Index(
            "ix_user_valid_until",
            "valid_until",
            sqlite_where=sa.text("valid_until IS NOT NULL"),
            postgresql_where=sa.text("valid_until IS NOT NULL"),
        ),
        sa.UniqueConstraint("uid"),
        sa.UniqueConstraint("username_norm"),
        sa.UniqueConstraint("email_norm"),
        sa.UniqueConstraint("phone"),
        sa.Index(
            "ix_user_valid_from",
            "valid_from",
            sqlite_where=sa.text("valid_from IS NOT NULL"),
            postgresql_where=sa.text("valid_from IS NOT NULL"),
        ),
        SERIAL,
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigId)
    uid: str = Field(sa_type=Text)
    version: int = Field(default=1, sa_type=BigId)
    kind: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    status_reason: str | None = Field(default=None, sa_type=Text)
    status_at: str = Field(sa_type=UtcDateTime)
    username: str = Field(sa_type=Text)
    username_norm: str = Field(sa_type=Text)
    skeleton: str = Field(sa_type=Text)
    display_name: str | None = Field(default=None, sa_type=Text)
    full_name: str | None = Field(default=None, sa_type=Text)
    email: str | None = Field(default=None, sa_type=Text)
    email_norm: str | None = Field(default=None, sa_type=Text)
    email_verified_at: str | None = Field(default=None, sa_type=UtcDateTime)
    phone: str | None = Field(default=None, sa_type=Text)
    phone_verified_at: str | None = Field(default=None, sa_type=UtcDateTime)
    gender: str | None = Field(default=None, sa_type=Text)
    birth_date: str | None = Field(default=None, sa_type=DateText)
    occupation: str | None = Field(default=None, sa_type=Text)
    locale: str | None = Field(default=None, sa_type=Text)
    time_zone: str | None = Field(default=None, sa_type=Text)
    valid_from: str | None = Field(default=None, sa_type=UtcDateTime)
    valid_until: str | None = Field(default=None, sa_type=UtcDateTime)
    managed_by: str | None = Field(default=None, sa_type=Text)
    created_at: str = Field(sa_type=UtcDateTime)
    updated_at: str = Field(sa_type=UtcDateTime)


def _user_id() -> int:
    made: int = Field(sa_type=BigId, foreign_key="user.id", primary_key=True, ondelete="CASCADE")
    return made


class UserExternalId(Model, table=True):
    """The user's id in another system."""

    __tablename__ = "user_external_id"
    __table_args__ = (
        length("system", 1, SYSTEM_MAX),
        length("external_id", 1, EXTERNAL_ID_MAX),
        sa.UniqueConstraint("system", "external_id"),
        KEYED,
    )

    user_id: int = _user_id()
    system: str = Field(sa_type=Text, primary_key=True)
    external_id: str = Field(sa_type=Text)


class UserAddress(Model, table=True):
    """A further mail or phone of the user; no login identifier."""

    __tablename__ = "user_address"
    __table_args__ = (one_of("kind", _values(AddressKind)), length("value", 3, 254), KEYED)

    user_id: int = _user_id()
    kind: str = Field(sa_type=Text, primary_key=True)
    value: str = Field(sa_type=Text, primary_key=True)


class UserFormerName(Model, table=True):
    """A username that was renamed away; it stays reserved and leads to the user."""

    __tablename__ = "user_former_name"
    __table_args__ = (length("username", 1, 128), sa.Index("ix_user_former_name_skeleton", "skeleton"), KEYED)

    username_norm: str = Field(sa_type=Text, primary_key=True)
    user_id: int = Field(sa_type=BigId, foreign_key="user.id", ondelete="CASCADE", index=True)
    username: str = Field(sa_type=Text)
    skeleton: str = Field(sa_type=Text)
    until: str = Field(sa_type=UtcDateTime)


class UserTag(Model, table=True):
    """A word that operators file users under."""

    __tablename__ = "user_tag"
    __table_args__ = (length("tag", 1, TAG_MAX), sa.Index("ix_user_tag_tag_user_id", "tag", "user_id"), KEYED)

    user_id: int = _user_id()
    tag: str = Field(sa_type=Text, primary_key=True)


class UserAttribute(Model, table=True):
    """What the user has as an attribute of the configuration: canonical text, and the whole number that it may be."""

    __tablename__ = "user_attribute"
    __table_args__ = (
        length("name", 1, NAME_MAX),
        length("value", 1, VALUE_MAX),
        sa.Index("ix_user_attribute_name_value", "name", "value", "user_id"),
        sa.Index(
            "ix_user_attribute_name_number",
            "name",
            "number",
            "user_id",
            sqlite_where=sa.text("number IS NOT NULL"),
            postgresql_where=sa.text("number IS NOT NULL"),
        ),
        KEYED,
    )

    user_id: int = _user_id()
    name: str = Field(sa_type=Text, primary_key=True)
    value: str = Field(sa_type=Text)
    number: int | None = Field(default=None, sa_type=BigId)


class OrgUnit(Model, table=True):
    """A unit of the organisation; the ``org`` commands write it, and it stands here because users refer to it.

    ``path`` and ``path_norm`` follow from the names from the top down: a range of an index is all that is below a unit.
    """

    __tablename__ = "org_unit"
    __table_args__ = (
        length("uid", 36, 36),
        length("name", 1, UNIT_NAME_MAX),
        length("path", 1, UNIT_PATH_MAX),
        length("path_norm", 1, UNIT_PATH_MAX),
        sa.CheckConstraint("version >= 1", name="version_counts"),
        sa.CheckConstraint("parent_id <> id", name="not_below_itself"),
        sa.CheckConstraint("(parent_id IS NULL) = (replace(path_norm, '/', '') = path_norm)", name="path_has_parent"),
        sa.UniqueConstraint("uid"),
        sa.UniqueConstraint("path_norm"),
        sa.Index("ix_org_unit_parent_id", "parent_id"),
        sa.Index("ix_org_unit_head_user_id", "head_user_id"),
        # a copy of the store brings units in the order of their ids, and one may have moved below a later one
        sa.ForeignKeyConstraint(["parent_id"], ["org_unit.id"], deferrable=True, initially="DEFERRED"),
        SERIAL,
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigId)
    uid: str = Field(sa_type=Text)
    version: int = Field(default=1, sa_type=BigId)
    parent_id: int | None = Field(default=None, sa_type=BigId)
    name: str = Field(sa_type=Text)
    path: str = Field(sa_type=Text)
    path_norm: str = Field(sa_type=Text)
    head_user_id: int | None = Field(default=None, sa_type=BigId, foreign_key="user.id")
    created_at: str = Field(sa_type=UtcDateTime)
    updated_at: str = Field(sa_type=UtcDateTime)


class UserOrg(Model, table=True):
    """The unit that a user belongs to; one, or none."""

    __tablename__ = "user_org"
    __table_args__ = (sa.Index("ix_user_org_org_id_user_id", "org_id", "user_id"), KEYED)

    user_id: int = _user_id()
    org_id: int = Field(sa_type=BigId, foreign_key="org_unit.id")


class UserBigram(Model, table=True):
    """Two characters that stand side by side in a name of the user (``bigrams``); it follows from the user's row.

    No foreign key: one tree serves searches, and a second one, to find the rows of a user who is removed, would take
    as long again to write; ``bigrams.change`` knows them.
    """

    __tablename__ = "user_bigram"
    __table_args__ = (length("bigram", 2, 2), KEYED)

    bigram: str = Field(sa_type=Text, primary_key=True)
    user_id: int = Field(sa_type=BigId, primary_key=True, sa_column_kwargs={"autoincrement": False})


class UserNote(Model, table=True):
    """What an operator wrote about a user; appended, never changed."""

    __tablename__ = "user_note"
    __table_args__ = (
        length("uid", 36, 36),
        length("text", 1, NOTE_MAX),
        sa.Index("ix_user_note_user_id_id", "user_id", "id"),
        sa.UniqueConstraint("uid"),
        SERIAL,
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigId)
    uid: str = Field(sa_type=Text)
    user_id: int = Field(sa_type=BigId, foreign_key="user.id", ondelete="CASCADE")
    at: str = Field(sa_type=UtcDateTime)
    actor: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)


class UserNotice(Model, table=True):
    """That notice was given of the end of the user's window, ``period`` seconds before it; 0: that it is over."""

    __tablename__ = "user_notice"
    __table_args__ = (sa.CheckConstraint("period >= 0", name="period_counts"), KEYED)

    user_id: int = _user_id()
    valid_until: str = Field(sa_type=UtcDateTime, primary_key=True)
    period: int = Field(sa_type=BigId, primary_key=True, sa_column_kwargs={"autoincrement": False})
