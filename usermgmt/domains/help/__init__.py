"""The manual: topics shipped with the program, and the help of every command."""
