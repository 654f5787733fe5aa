"""What the store domain offers the rest of the house."""

from __future__ import annotations

from usermgmt.kernel.registry import Declaration

DECLARES = Declaration(domain="store", upcoming=("usermgmt.domains.store.upcoming:backup",))
