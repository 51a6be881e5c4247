"""Contracts, database first: what the catalogue says, the rows made from it, what others get."""
