"""Ways in which a PostgreSQL that answers can be of no use, each with its cure."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]
    Sickness = Callable[[Database], contextlib.AbstractAsyncContextManager[None]]


async def end_sessions(database: Database) -> None:
    """End every session of the workers."""
    await database.execute("""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'clerkwork-worker'
    """)


@contextlib.asynccontextmanager
async def read_only(database: Database) -> AsyncIterator[None]:
    """Let every new transaction be read-only, as on a standby."""
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await end_sessions(database)
    yield
    # This session is older than the setting, and can therefore take it back.
    await database.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await end_sessions(database)


@contextlib.asynccontextmanager
async def full(database: Database) -> AsyncIterator[None]:
    """Refuse every row with SQLSTATE 53100, disk full: a trigger, for disks are hard to fill."""
    await database.execute("""
        CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100';
        END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk()
    """)
    yield
    await database.execute("DROP TRIGGER full_disk ON events")


@contextlib.asynccontextmanager
async def without_table(database: Database) -> AsyncIterator[None]:
    """Have a table gone, as after a wrong migration."""
    await database.execute("ALTER TABLE events RENAME TO events_elsewhere")
    yield
    await database.execute("ALTER TABLE events_elsewhere RENAME TO events")


SICKNESSES: Final[Mapping[str, Sickness]] = {
    "read-only": read_only,
    "disk full": full,
    "table missing": without_table,
}
