"""One expression language, a subset of CEL: read once, asked of a record in memory and of rows in SQL alike."""
