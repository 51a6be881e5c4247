"""Publish what was seen at Clerk, and wait until Kafka has it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from deploy.errors import OperatorError
from deploy.letters.desk import PATIENCE_S, naming_kafka
from schema.kafka.connections import connection_arguments
from schema.kafka.producer import BrokerUnavailableError, Producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from deploy.clerk.sides import Sides
    from schema.kafka.producer import Record, Stored

AGAIN_S: Final = 120.0
"""For how long records are sent again while Kafka does not acknowledge them."""

_TIMEOUT_S: Final = 30.0


@contextlib.asynccontextmanager
async def publishing(sides: Sides) -> AsyncIterator[Producer]:
    """Have a producer that has spoken to Kafka while the context lasts. Raises OperatorError."""
    arguments = connection_arguments(sides.settings)
    producer = Producer(arguments, client_id=sides.client, timeout_s=_TIMEOUT_S)
    async with producer.running():
        with naming_kafka():
            await asyncio.wait_for(producer.wait_connected(), PATIENCE_S)
        yield producer


async def publish(producer: Producer, records: Sequence[Record]) -> list[Stored]:
    """Put records on Kafka and return where they are; all of them again where it is in doubt.

    Raises OperatorError when Kafka does not acknowledge them for too long.
    """
    try:
        return await _send(producer, records)
    except BrokerUnavailableError as error:
        raise OperatorError(
            "Kafka does not acknowledge what is published. Is it up, does it have all topics"
            " (clerkwork topics diff)? What it has stays: run this again, and it goes on."
        ) from error


@retry(
    retry=retry_if_exception_type(BrokerUnavailableError),
    stop=stop_after_delay(AGAIN_S),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
async def _send(producer: Producer, records: Sequence[Record]) -> list[Stored]:
    return await producer.send_all(records)
