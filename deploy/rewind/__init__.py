"""Rewind: groups go on where the tables are, after one of both servers has lost something."""
