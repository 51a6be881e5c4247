"""Standings: what the database says of callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.database import fetch, named_statements

if TYPE_CHECKING:
    from api.database import Pool
    from schema.http.tokens.claims import Caller

_SQL: Final = named_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the database says of the caller."""

    role: str
    status: str


async def read_standing(pool: Pool, caller: Caller) -> Standing | None:
    """Return what the database says of the caller, None when there is no row."""
    for row in await fetch(pool, _SQL["read_standing"], caller.user_id):
        return Standing(role=row["role"], status=row["status"])
    return None
