"""One folder per command group; the path is the command."""
