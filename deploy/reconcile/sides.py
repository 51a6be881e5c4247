"""The two sides that are compared, and Kafka between them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from deploy.letters.desk import reading
from schema.clerk.client import opened_clerk
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from aiokafka import AIOKafkaConsumer

    from deploy.reconcile.settings import ReconcileSettings
    from schema.clerk.client import Clerk

    Connection = asyncpg.Connection[asyncpg.Record]

CLIENT: Final = "clerkwork-reconcile"
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Whom to ask."""

    settings: ReconcileSettings
    clerk: Clerk
    connection: Connection
    """It holds the lock, and what is suspected, in temporary tables."""
    consumer: AIOKafkaConsumer
    """In no group: it only tells where topics end."""


@contextlib.asynccontextmanager
async def opened_sides(settings: ReconcileSettings) -> AsyncIterator[Sides]:
    """Have both sides while the context lasts, alone.

    Raises OperatorError where another reconcile runs, or a server does not answer.
    """
    url = settings.database_url.get_secret_value()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(refusing_in_words())
        connection = await stack.enter_async_context(connected(url, name=CLIENT))
        if not await connection.fetchval(_SQL["keep_others_out"]):
            raise OperatorError("Another reconcile is running: try again after it.")
        await connection.execute(_SQL["make_room"])
        yield Sides(
            settings=settings,
            clerk=await stack.enter_async_context(opened_clerk(settings)),
            connection=connection,
            consumer=await stack.enter_async_context(reading(settings, client=CLIENT)),
        )
