"""Finish the shadow: bring in what operators, applications and time have done to the live rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements
from workers.erase import erase_users

if TYPE_CHECKING:
    from datetime import timedelta

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

APPLICATIONS: Final = ("preferences", "feature_flags", "onboarding_status")
"""Keys of user_data that no event of Clerk's has a say in."""

_SQL: Final = read_statements(__file__)


async def finish(connection: Connection, *, erase_after: timedelta) -> None:
    """Do it, in a transaction of the caller's; doing it again changes nothing.

    Restorations, and how long whose data is held back, are the operators'; some keys of user_data
    are the application's; that a session has run out is said by maintenance alone. All of it is
    taken over where the rebuilt row allows it, so that what is left to differ is damage.
    """
    await connection.execute(_SQL["void_deletions"])
    await connection.execute(_SQL["copy_restorations"])
    settled = await connection.fetch(_SQL["settle_deletions"], erase_after)
    await _erase(connection, settled)
    await connection.execute(_SQL["forget_application_data"], APPLICATIONS)
    await connection.execute(_SQL["copy_application_data"], APPLICATIONS)
    await connection.execute(_SQL["copy_session_ends"])
    await connection.execute(_SQL["end_missing_sessions"])


async def _erase(connection: Connection, settled: list[asyncpg.Record]) -> None:
    due = [row["id"] for row in settled if row["erase_at"] is None]
    if due:
        async with connection.transaction():
            live = await connection.fetchval(_SQL["read_search_path"])
            await connection.execute(_SQL["set_search_path"], "rebuild")
            await erase_users(connection, due)
            await connection.execute(_SQL["set_search_path"], live)
