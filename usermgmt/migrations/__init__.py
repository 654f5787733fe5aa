"""Schema steps, one file each; they import no domain code, so an old step means the same for ever."""

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""Every revision that this program knows, oldest first."""

HEAD = KNOWN[-1]
