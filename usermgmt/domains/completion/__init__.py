"""Completion scripts: stubs for bash, zsh, fish and PowerShell that ask the program."""
