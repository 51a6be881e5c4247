"""Tell others of every user and post again: older than the change topics, or a topic was lost.

Consumers take it like any other change: the state is whole, and comes in its order.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from deploy.database import attempts, connected, refusing_in_words
from schema.ops.logs import configure_logs
from schema.ops.settings import DatabaseSettings, read_settings
from schema.postgres.statements import read_statements
from workers.tell import Changes, Seen, tell

if TYPE_CHECKING:
    import asyncpg
    from rich.console import Console

    Connection = asyncpg.Connection[asyncpg.Record]

BATCH_SIZE: Final = 1000
"""How many users or posts are told of in one transaction; workers that tell wait for its end."""

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


class Told(NamedTuple):
    """How many there are."""

    users: int
    posts: int


async def tell_all(database_url: str) -> Told:
    """Tell of every user, living or deleted, and of every post, and return how many they are.

    Raises what the driver raises; who was told of until then stays told of.
    """
    async with connected(database_url, name="clerkwork-tell") as connection:
        told = Told(await _tell_users(connection), await _tell_posts(connection))
    log.info("users_told", **told._asdict())
    return told


async def _tell_users(connection: Connection) -> int:
    total, after = 0, uuid.UUID(int=0)
    while users := await connection.fetch(_SQL["next_users"], after, BATCH_SIZE):
        # The state is read once nobody else can tell: who changes a user meanwhile tells later.
        async for attempt in attempts():
            with attempt:
                async with connection.transaction():
                    changes = Changes(others=frozenset(row["id"] for row in users))
                    await tell(connection, changes)
        total, after = total + len(users), users[-1]["id"]
    return total


async def _tell_posts(connection: Connection) -> int:
    total, after = 0, uuid.UUID(int=0)
    while posts := await connection.fetch(_SQL["next_posts"], after, BATCH_SIZE):
        async for attempt in attempts():
            with attempt:
                async with connection.transaction():
                    authors = {row["user_id"] for row in posts}
                    await connection.execute(_SQL["lock_users"], list(authors))
                    found = await connection.fetch(_SQL["find_posts"], [row["id"] for row in posts])
                    seen = {row["id"]: Seen(*row[1:]) for row in found}
                    await tell(connection, Changes(posts=seen))
        total, after = total + len(posts), posts[-1]["id"]
    return total


def run_tell(console: Console) -> int:
    """Tell of every user and post of the environment's database, say how many, return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(DatabaseSettings)
    configure_logs(settings)
    with refusing_in_words():
        told = asyncio.run(tell_all(settings.database_url.get_secret_value()))
    console.print(
        f"Told of: {told.users} users, {told.posts} posts. The relay publishes what it has not yet."
    )
    return 0
