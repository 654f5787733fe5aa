"""The organisation: units in a tree, each with a head, to which users belong."""
