"""Users: who they are, their identifiers and their standing as accounts."""
