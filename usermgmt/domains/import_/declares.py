"""What imports keep in the store."""

from __future__ import annotations

from usermgmt.kernel.registry import Declaration

DECLARES = Declaration(
    domain="import_",
    models="usermgmt.domains.import_.models",
    # how far a run came: what it changed is on the audit, entry by entry, and the run itself has one
    operational=frozenset({"import_run"}),
)
