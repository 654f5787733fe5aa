"""The version: of the program and of what it stands on."""
