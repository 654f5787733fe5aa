"""What a user is made of: enums, limits and names of fields; standard library only."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Who stands behind the account."""

    PERSON = "person"
    SERVICE = "service"


class Status(StrEnum):
    """Where the account stands; being locked is a state of sign-in and no status."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ERASED = "erased"


class Gender(StrEnum):
    """As the person states it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


class AddressKind(StrEnum):
    """What a further address is."""

    EMAIL = "email"
    PHONE = "phone"


class IfExists(StrEnum):
    """What ``add`` and ``import`` do about a user who is there already and differs."""

    FAIL = "fail"
    SKIP = "skip"
    UPDATE = "update"


TEXT_LIMITS = {
    "display_name": 200,
    "full_name": 200,
    "occupation": 200,
    "locale": 35,
    "time_zone": 64,
    "status_reason": 2000,
    "managed_by": 200,
}
"""Longest text of each field, in code points."""

TAG_MAX = 64
NOTE_MAX = 10_000
REQUESTED_BY_MAX = 200
SYSTEM_MAX = 64
EXTERNAL_ID_MAX = 255

UNIT_NAME_MAX = 100
UNIT_PATH_MAX = 500  # with four bytes each it still fits into an entry of an index of PostgreSQL
UNIT_DEPTH_MAX = 20
UNITS_MAX = 100_000

PROFILE = (
    "display_name",
    "full_name",
    "email",
    "phone",
    "gender",
    "birth_date",
    "occupation",
    "locale",
    "time_zone",
    "kind",
    "valid_from",
    "valid_until",
    "email_verified_at",
    "phone_verified_at",
    "managed_by",
    "org",
)
"""Fields that ``add`` and ``set`` take as they are given, one option each."""
