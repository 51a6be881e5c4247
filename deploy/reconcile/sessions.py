"""Look up open sessions, which Clerk lists for nobody: one request each."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from deploy.reconcile.confirm import AT_ONCE, Seen, suspect
from deploy.reconcile.look import look, read_status
from schema.clerk.client import NotAtClerkError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from deploy.reconcile.sides import Sides

    Session = Mapping[str, Any] | asyncpg.Record

OPEN: Final = (None, "pending", "active")
"""What Clerk says of a session that has not ended."""

_LOWEST: Final = uuid.UUID(int=0)
_BEGINNING: Final = (datetime(1970, 1, 1, tzinfo=UTC), _LOWEST)
_SQL: Final = read_statements(__file__)


async def look_at_sessions(
    sides: Sides, *, most: int, cursor: str | None
) -> tuple[int, str | None]:
    """Suspect sessions that are open here and not at Clerk: all of users who are gone, some others.

    Of these `most`, where the last run has stopped, at `cursor`; after the last of all comes the
    first again. Returns how many were looked at, and the next run's cursor.
    """
    looked = await _look_at_those_of_gone(sides)
    after, left = _read_cursor(cursor), most
    while left > 0:
        batch = min(left, AT_ONCE)
        rows = await sides.connection.fetch(_SQL["list_idle_sessions"], *after, batch)
        await _look(sides, rows)
        looked += len(rows)
        left -= len(rows)
        if len(rows) < batch:
            return looked, None
        after = rows[-1]["latest"], rows[-1]["id"]
    return looked, f"{after[0].isoformat()} {after[1]}"


def _read_cursor(cursor: str | None) -> tuple[datetime, uuid.UUID]:
    if cursor is None:
        return _BEGINNING
    latest, _, key = cursor.partition(" ")
    return datetime.fromisoformat(latest), uuid.UUID(key)


async def _look_at_those_of_gone(sides: Sides) -> int:
    looked, after = 0, _LOWEST
    while rows := await sides.connection.fetch(_SQL["list_sessions_of_gone"], after, AT_ONCE):
        await _look(sides, rows)
        looked += len(rows)
        after = rows[-1]["id"]
    return looked


async def _look(sides: Sides, rows: Sequence[Session]) -> None:
    seen = await asyncio.gather(*(_find_ended(sides, row) for row in rows))
    await suspect(sides.connection, "sessions", [each for each in seen if each])


async def _find_ended(sides: Sides, row: Session) -> Seen | None:
    try:
        answer = await look(sides.clerk, "sessions", row)
    except NotAtClerkError as error:
        clock_ms = error.clock_ms
    else:
        if read_status(answer) in OPEN:
            return None
        clock_ms = answer.clock_ms
    return Seen(
        kind="orphaned",
        id=row["id"],
        clerk_id=row["clerk_id"],
        version=row["version"],
        user_id=row["user_id"],
        organization_id=None,
        clock_ms=clock_ms,
    )
