"""Reading from PostgreSQL: typed functions over the `.sql` beside them, one statement for each.

Every function raises DatabaseUnavailableError when PostgreSQL cannot answer now.
"""

from __future__ import annotations

from api.read.changes import Change, Changes, read_changes
from api.read.standings import Standing, read_standing

__all__ = ["Change", "Changes", "Standing", "read_changes", "read_standing"]
