"""Open the desk: Clerk on one side, PostgreSQL and Kafka on the other."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.clerk.find import read_instance
from deploy.database import connected
from deploy.errors import OperatorError
from deploy.letters.desk import naming_kafka
from deploy.letters.operate import who
from schema.clerk.client import opened_clerk
from schema.kafka.connections import connection_arguments
from schema.kafka.producer import Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from rich.console import Console

    from deploy.backfill.settings import BackfillSettings
    from deploy.clerk.find import Instance
    from schema.clerk.client import Clerk

    Connection = asyncpg.Connection[asyncpg.Record]

CLIENT: Final = "clerkwork-backfill"

_PATIENCE_S: Final = 20.0
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a backfill works with."""

    settings: BackfillSettings
    connection: Connection
    clerk: Clerk
    instance: Instance
    console: Console


@contextlib.asynccontextmanager
async def opened_desk(settings: BackfillSettings, console: Console) -> AsyncIterator[Desk]:
    """Have both sides at hand while the context lasts. Raises OperatorError for a wrong key."""
    url = settings.database_url.get_secret_value()
    name = f"{CLIENT} {who()}"[:63]  # what PostgreSQL keeps of it; it tells others who runs
    async with (
        opened_clerk(settings) as clerk,
        connected(url, name=name) as connection,
    ):
        yield Desk(
            settings=settings,
            connection=connection,
            clerk=clerk,
            instance=await _require_instance(clerk, settings.clerk_instance_id),
            console=console,
        )


async def _require_instance(clerk: Clerk, expected: str | None) -> Instance:
    instance = await read_instance(clerk)
    if expected and instance.id != expected:
        raise OperatorError(
            f"CLERK_SECRET_KEY is of the instance {instance.id}, CLERK_INSTANCE_ID says {expected}:"
            " nothing was published."
        )
    return instance


@contextlib.asynccontextmanager
async def publishing(settings: BackfillSettings) -> AsyncIterator[Producer]:
    """Have a producer that has spoken to Kafka while the context lasts. Raises OperatorError."""
    producer = Producer(connection_arguments(settings), client_id=CLIENT, timeout_s=_TIMEOUT_S)
    async with producer.running():
        with naming_kafka():
            await asyncio.wait_for(producer.wait_connected(), _PATIENCE_S)
        yield producer
