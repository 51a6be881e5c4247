"""Finish the shadow: bring in what operators, applications and time have done to the live rows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from deploy.rebuild.shadow import SHADOW
from schema.postgres.statements import read_statements
from workers.derive import EVERYTHING, derive_user_data
from workers.erase import erase_users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

APPLICATIONS: Final = ("preferences", "feature_flags", "onboarding_status")
"""Keys of user_data that no event of Clerk's has a say in: users set them, by commands."""

_SQL: Final = read_statements(__file__)


async def finish(connection: Connection, *, erase_after: timedelta) -> None:
    """Do it, in a transaction of the caller's; doing it again changes nothing.

    Restorations, and how long whose data is held back, are the operators'; some keys of user_data
    are the users'; that a session has run out is said by maintenance alone. All of it is taken
    over where the rebuilt row allows it, so that what is left to differ is damage.
    """
    named = await connection.fetch(_SQL["name_speakers"], APPLICATIONS)
    if named:
        async with _shadow(connection):
            due = {row["id"]: EVERYTHING for row in named}
            await derive_user_data(connection, due, history_limit=0)  # they have no history
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
        async with _shadow(connection):
            await erase_users(connection, due)


@contextlib.asynccontextmanager
async def _shadow(connection: Connection) -> AsyncIterator[None]:
    """Have names mean what is in the shadow while the context lasts."""
    async with connection.transaction():
        live = await connection.fetchval(_SQL["read_search_path"])
        await connection.execute(_SQL["set_search_path"], SHADOW)
        yield
        await connection.execute(_SQL["set_search_path"], live)
