"""The audit log as people and scripts read, verify, anchor and export it."""
