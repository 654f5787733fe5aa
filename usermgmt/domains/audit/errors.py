"""What can be wrong with a request about the audit, and what is said of an audit that does not hold."""

from __future__ import annotations

from usermgmt.kernel.errors import IntegrityBroken, Invalid, NotFound
from usermgmt.kernel.i18n import N_


class NoEntry(NotFound):
    """There is no audit entry {seq}."""

    code = "audit.not_found"
    hint = N_("the last one is {last}: usermgmt audit tail")


class NoAnchors(Invalid):
    """{path}: this is no checkpoint and no anchor file; no line of it is an anchor."""

    code = "audit.no_anchor"
    hint = N_("usermgmt audit checkpoint --out FILE writes one")


class DoesNotHold(IntegrityBroken):
    """{problem}"""

    code = "audit.broken"
    hint = ""
