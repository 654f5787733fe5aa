"""Completion scripts: stubs for bash and zsh that ask the program."""
