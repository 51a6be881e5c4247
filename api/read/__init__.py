"""Reading from PostgreSQL: typed functions over the `.sql` beside them, one statement for each.

Every function raises DatabaseUnavailableError when PostgreSQL cannot answer now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.read.changes import Change, Changes, read_changes
from api.read.standings import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLANNER", "Change", "Changes", "Standing", "read_changes"]

PLANNER: Final[Mapping[str, str]] = {"enable_bitmapscan": "off", "enable_sort": "off"}
"""How the statements want to be planned: every list comes out of an index in its order.

Of a user whom its statistics do not know PostgreSQL expects a handful of rows, and would rather
fetch them all through a bitmap and sort them, however many there are.
"""
