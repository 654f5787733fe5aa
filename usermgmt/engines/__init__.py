"""Mechanisms that several domains share, and no policy."""
