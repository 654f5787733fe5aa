"""The formula guard: a quote before cells that a spreadsheet would run, and its exact reversal."""

from __future__ import annotations

import re

# OWASP, CSV Injection; ASVS 5.0 1.2.10: what a spreadsheet takes for the beginning of a formula. Full-width forms
# are folded to ASCII by East Asian editions.
TRIGGERS = "=+-@\t\r\n＝＋－＠"
_GUARDED = re.compile(f"'+[{re.escape(TRIGGERS)}]")
_TRIGGERS = frozenset(TRIGGERS)
OPENERS = frozenset(TRIGGERS + "'")  # the first characters at which ``guard`` has to look closer


def guard(cell: str) -> str:
    """Return ``cell`` so that no spreadsheet runs it: with a ``'`` before a trigger, or before quotes and a trigger.

    The second case is what makes the guard reversible: a value that looks guarded already gets one quote more.
    """
    if cell[:1] not in OPENERS:
        return cell
    return "'" + cell if cell[0] != "'" or _GUARDED.match(cell) else cell


def unguard(cell: str) -> str:
    """Return the value of which ``cell`` is the guarded form: ``unguard(guard(x)) == x`` for every ``x``.

    One quote is taken away only where quotes are followed by a trigger. A ``'`` before anything else (``'tis``) is
    part of the value and stays, also in files that something else wrote.
    """
    if cell[:1] != "'":
        return cell
    # the plain case without the regular expression: a column of phone numbers is all of this
    return cell[1:] if cell[1:2] in _TRIGGERS or _GUARDED.match(cell) else cell
