"""Taking records out as files, unmasked and audited; what a record is made of, its domain knows."""
