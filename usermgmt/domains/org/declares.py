"""What the domain of the organisation offers the rest of the house."""

from __future__ import annotations

from usermgmt.kernel.registry import Audited, Declaration

ORG = Audited(
    kind="org",
    # what a unit is called says nothing of anybody, and its head stands there as a uid
    personal=frozenset(),
    masks={},
    follows={"created_at": "@created", "updated_at": "@changed"},
    rows="usermgmt.domains.org.state:rows",
    names="usermgmt.domains.org.state:names",
)

# the tables are the users' own, who belong to units
DECLARES = Declaration(domain="org", audited=(ORG,))
