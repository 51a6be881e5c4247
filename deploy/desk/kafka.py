"""Kafka, as the desk reads it: one reader for all, opened when needed and again when it broke."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiokafka.errors import KafkaError

from deploy.errors import OperatorError
from deploy.groups import read_group
from deploy.letters.desk import CLIENT, PATIENCE_S, naming_kafka, reading
from deploy.topics import connected_admin
from schema.http.errors import HttpError
from schema.kafka.connections import connection_arguments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import AIOKafkaConsumer

    from deploy.groups import Group
    from schema.ops.settings import KafkaSettings

BUSY_S: Final = 10.0
"""How long a request waits for others that read."""


class BrokerAwayError(HttpError):
    """Kafka cannot be read now; asking again soon may help."""

    def __init__(self, words: str) -> None:
        super().__init__("BROKER_UNAVAILABLE", words, headers={"Retry-After": "5"})


class Reader:
    """Lends the one consumer, which is in no group and commits nothing."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()
        self._consumer: AIOKafkaConsumer | None = None

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Have the consumer while the context lasts. Raises BrokerAwayError, in words.

        Whoever has it assigns what they read.
        """
        try:
            async with asyncio.timeout(BUSY_S):
                await self._turn.acquire()
        except TimeoutError:
            raise BrokerAwayError("Others read Kafka at the moment. Try again.") from None
        try:
            with naming_kafka():
                async with asyncio.timeout(PATIENCE_S):
                    consumer = await self._open()
                    yield consumer
                    # Or it would go on to fetch what nobody has asked for.
                    consumer.pause(*consumer.assignment())
        except (OperatorError, KafkaError, asyncio.CancelledError) as error:
            await self._drop()
            if isinstance(error, OperatorError):
                raise BrokerAwayError(str(error)) from error
            raise
        finally:
            self._turn.release()

    async def read_group(self, name: str) -> Group:
        """Return how a group stands. Raises BrokerAwayError, in words."""
        try:
            with naming_kafka():
                async with (
                    asyncio.timeout(PATIENCE_S),
                    connected_admin(connection_arguments(self._settings)) as admin,
                ):
                    return await read_group(admin, name)
        except OperatorError as error:
            raise BrokerAwayError(str(error)) from error

    async def close(self) -> None:
        """Let go of the consumer."""
        await self._drop()

    async def _open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = await self._stack.enter_async_context(
                reading(self._settings, client=CLIENT)
            )
        return self._consumer

    async def _drop(self) -> None:
        self._consumer = None
        stack, self._stack = self._stack, contextlib.AsyncExitStack()
        await stack.aclose()


READER: Final = web.AppKey("reader", Reader)
"""Where handlers find it."""
