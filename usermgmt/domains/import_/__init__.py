"""Bringing records in from files: reading, mapping, chunks, outcomes, reports; its domain knows what a record means."""
