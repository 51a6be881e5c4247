"""Erase a person: say where they still are, and remove them where retention has yet to come."""
