"""Configuration: what is set and where it came from, changed in its file without losing a comment."""
