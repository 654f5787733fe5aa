"""What can be wrong with a request about the audit, and what is said of an audit that does not hold."""

from __future__ import annotations

from usermgmt.kernel.errors import Conflict, IntegrityBroken, Invalid, NotFound
from usermgmt.kernel.i18n import N_


class NoEntry(NotFound):
    """There is no audit entry {seq}."""

    code = "audit.not_found"
    hint = N_("the last one is {last}: usermgmt audit tail")


class EntryArchived(NoEntry):
    """The audit entry {seq} is not here any more: entries 1 to {removed} were removed to an archive."""

    code = "audit.archived"
    hint = N_("usermgmt audit list --action audit.prune tells which archive has it")


class NoAnchors(Invalid):
    """{path}: this is no checkpoint and no anchor file; no line of it is an anchor."""

    code = "audit.no_anchor"
    hint = N_("usermgmt audit checkpoint --out FILE writes one")


class TooYoung(Invalid):
    """The audit keeps its entries for {retention} at least, and {before} is younger than that."""

    code = "audit.retention"
    hint = N_("the latest time that --before may name is {latest}")


class PrunedMeanwhile(Conflict):
    """The audit was pruned or restored meanwhile; nothing more was removed."""

    code = "audit.pruned_meanwhile"
    hint = N_("look at it again: usermgmt audit prune --dry-run")


class NotPruned(IntegrityBroken):
    """The audit does not hold, so that nothing is removed from it: {finding}"""

    code = "audit.not_pruned"
    hint = N_("usermgmt audit verify --state tells all that is wrong")


class ArchiveBroken(IntegrityBroken):
    """The archive {path} is not what was written to it: {finding}"""

    code = "audit.archive_broken"
    hint = N_("nothing was removed; look at the disk, and name another file")


class DoesNotHold(IntegrityBroken):
    """{problem}"""

    code = "audit.broken"
    hint = ""
