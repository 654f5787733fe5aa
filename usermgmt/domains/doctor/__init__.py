"""Whether the store and what it stands on are well, check by check, however broken they are."""
