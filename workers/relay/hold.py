"""Hold the lock of the one relay that publishes: a session of PostgreSQL, and nothing else.

Everything of a term goes through that session, so that whoever has lost it cannot go on. It must
be a real one: a pooler that shares sessions between transactions, as PgBouncer's transaction mode
does, would share the lock too.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import asyncpg

from schema.postgres.statements import read_statements
from workers.classify import not_now_unless_bad

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from schema.ops.settings import DatabaseSettings

    Connection = asyncpg.Connection[asyncpg.Record]

TRY_EVERY_S: Final = 0.5
"""How often a relay that stands by looks whether it is needed."""

SESSION_TIMEOUT_S: Final = 10
"""PostgreSQL ends the session of a holder from whom it has heard nothing for so long."""

COMMAND_TIMEOUT_S: Final = 8.0

_SQL: Final = read_statements(__file__)


async def try_to_hold(connection: Connection) -> bool:
    """Take the lock unless somebody has it, and say whether it is ours. Raises NotNowError."""
    with not_now_unless_bad():
        return bool(await connection.fetchval(_SQL["try_to_hold"]))


@contextlib.asynccontextmanager
async def connected(settings: DatabaseSettings) -> AsyncIterator[Connection]:
    """Have the session of a term; at its end the lock is free at once.

    Raises NotNowError when PostgreSQL is not there.
    """
    with not_now_unless_bad():
        connection = await _connect(settings)
    try:
        yield connection
    finally:
        try:
            await connection.close(timeout=2)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            connection.terminate()


async def _connect(settings: DatabaseSettings) -> Connection:
    """Open a session that ends soon when we are frozen, or the network between us is gone."""
    async with asyncio.timeout(5):
        return await asyncpg.connect(
            settings.database_url.get_secret_value(),
            timeout=5.0,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={
                "application_name": "clerkwork-relay",
                "jit": "off",
                "idle_session_timeout": f"{SESSION_TIMEOUT_S}s",
                "idle_in_transaction_session_timeout": f"{SESSION_TIMEOUT_S}s",
                "statement_timeout": "8s",
                # Without these a host that lost its power would hold the lock for two hours.
                "tcp_keepalives_idle": "4",
                "tcp_keepalives_interval": "2",
                "tcp_keepalives_count": "3",
                "tcp_user_timeout": f"{SESSION_TIMEOUT_S}s",
                # All it writes is how far it has come, which the topics know better.
                "synchronous_commit": "off",
            },
        )
