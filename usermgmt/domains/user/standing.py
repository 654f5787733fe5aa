"""Whether an account counts at a moment, and if not, why: computed from its row and the time, never stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usermgmt.domains.user.types import Status
from usermgmt.kernel.i18n import N_

if TYPE_CHECKING:
    from collections.abc import Mapping

CAUSES = {
    "pending": N_("not verified yet"),
    "suspended": N_("suspended"),
    "closed": N_("closed"),
    "erased": N_("erased"),
    "not-yet-valid": N_("not valid yet"),
    "expired": N_("expired"),
}


def cause(row: Mapping[str, Any], now: str) -> str | None:
    """Return why the account does not count at ``now``: a status, ``not-yet-valid`` or ``expired``; None where it does.

    The window is half-open: at ``valid_until`` itself the account does not count any more.
    """
    if row["status"] != Status.ACTIVE:
        return str(row["status"])
    if row["valid_from"] is not None and now < row["valid_from"]:
        return "not-yet-valid"
    if row["valid_until"] is not None and now >= row["valid_until"]:
        return "expired"
    return None


def age(birth_date: str | None, today: str) -> int | None:
    """Return the age in whole years on the date ``today``; someone born on 29 February is a year older on 1 March.

    None where the date of birth is not known, or is no date: something else may have written the row.
    """
    if birth_date is None or not birth_date[:4].isdecimal():
        return None
    return int(today[:4]) - int(birth_date[:4]) - (today[5:10] < birth_date[5:10])
