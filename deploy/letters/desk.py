"""Open the desk: a connection to PostgreSQL, a reader and a writer of Kafka's topics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from schema.kafka.connections import connection_arguments
from schema.kafka.producer import Producer
from schema.ops.settings import DatabaseSettings, KafkaSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

CLIENT: Final = "clerkwork-desk"
PATIENCE_S: Final = 20.0
"""How long Kafka may take to answer before the desk gives up."""


class DeskSettings(KafkaSettings, DatabaseSettings):
    """What `clerkwork dlq` reads where it needs both servers."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What is needed to read letters and to send them on."""

    connection: Connection
    consumer: AIOKafkaConsumer
    """In no group: it reads where it is told to and commits nothing."""
    producer: Producer


@contextlib.asynccontextmanager
async def opened_desk(settings: DeskSettings) -> AsyncIterator[Desk]:
    """Connect to both servers while the context lasts. Raises OperatorError in words."""
    url = settings.database_url.get_secret_value()
    producer = Producer(connection_arguments(settings), client_id=CLIENT, timeout_s=10.0)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(refusing_in_words())
        connection = await stack.enter_async_context(connected(url, name=CLIENT))
        consumer = await stack.enter_async_context(reading(settings))
        await stack.enter_async_context(producer.running())
        with naming_kafka():
            await asyncio.wait_for(producer.wait_connected(), PATIENCE_S)
        yield Desk(connection=connection, consumer=consumer, producer=producer)


@contextlib.asynccontextmanager
async def reading(
    settings: KafkaSettings, *, client: str = CLIENT, beyond: str = "earliest"
) -> AsyncIterator[AIOKafkaConsumer]:
    """Have a reader of topics while the context lasts. Raises OperatorError in words.

    `beyond` is where it goes on when what it wants is gone; `none`: it raises then.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says is said in words below
    consumer = AIOKafkaConsumer(
        **connection_arguments(settings),
        client_id=client,
        enable_auto_commit=False,
        auto_offset_reset=beyond,
        fetch_max_wait_ms=50,  # other questions wait behind a fetch on the same connection
    )
    try:
        with naming_kafka():
            await asyncio.wait_for(consumer.start(), PATIENCE_S)
        yield consumer
    finally:
        await consumer.stop()


@contextlib.contextmanager
def naming_kafka() -> Iterator[None]:
    """Turn what Kafka's client raises into OperatorError."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise OperatorError(
            f"Kafka does not answer ({type(error).__name__})."
            " Is it up, and KAFKA_BOOTSTRAP_SERVERS right?"
        ) from error
