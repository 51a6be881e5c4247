"""Tell others of every user again: users older than the change topics, or a topic that was lost.

Consumers take it like any other change: the state is whole, and comes in its order.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Final

import structlog

from deploy.database import attempts, connected, refusing_in_words
from schema.ops.logs import configure_logs
from schema.ops.settings import DatabaseSettings, read_settings
from schema.postgres.statements import read_statements
from workers.tell import Changes, tell

if TYPE_CHECKING:
    import asyncpg
    from rich.console import Console

BATCH_SIZE: Final = 1000
"""How many users are told of in one transaction; workers that tell wait for its end."""

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


async def tell_all(database_url: str) -> int:
    """Tell of every user, living or deleted, and return how many they are.

    Raises what the driver raises; who was told of until then stays told of.
    """
    total, after = 0, uuid.UUID(int=0)
    async with connected(database_url, name="clerkwork-tell") as connection:
        while users := await connection.fetch(_SQL["next_users"], after, BATCH_SIZE):
            await _tell(connection, [row["id"] for row in users])
            total, after = total + len(users), users[-1]["id"]
    log.info("users_told", users=total)
    return total


async def _tell(connection: asyncpg.Connection[asyncpg.Record], users: list[uuid.UUID]) -> None:
    # The state is read once nobody else can tell: who changes a user meanwhile tells after this.
    async for attempt in attempts():
        with attempt:
            async with connection.transaction():
                await tell(connection, Changes(others=frozenset(users)))


def run_tell(console: Console) -> int:
    """Tell of every user of the environment's database, say how many, return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(DatabaseSettings)
    configure_logs(settings)
    with refusing_in_words():
        told = asyncio.run(tell_all(settings.database_url.get_secret_value()))
    console.print(f"Users told of: {told}. The relay publishes what it has not yet.")
    return 0
