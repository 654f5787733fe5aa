"""The store itself: created, described, migrated, backed up, restored."""
