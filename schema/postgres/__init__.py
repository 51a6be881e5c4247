"""Promises in PostgreSQL: tables, derived keys, migrations, named statements."""
