"""The read API: authenticate a caller, read from PostgreSQL, present as JSON."""
