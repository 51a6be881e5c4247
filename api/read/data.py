"""Data: what the application and Clerk's events tell of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.database import fetch, named_statements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.database import Pool

_SQL: Final = named_statements(__file__)


async def read_data(pool: Pool, user_id: UUID) -> tuple[str | None, Mapping[str, str]]:
    """Return the status of the user, None where there is none, and key -> value as JSON."""
    rows = await fetch(pool, _SQL["read_data"], user_id)
    status = rows[0]["status"] if rows else None
    return status, {row["key"]: row["value"] for row in rows if row["key"] is not None}
