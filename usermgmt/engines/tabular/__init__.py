"""Tables in files: CSV, TSV, JSON and NDJSON are read and written record by record in constant memory."""
