"""Listen to the change topic for canaries, from now on, over Kafka's absences too."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schema.kafka.changes import CANARY
from schema.kafka.headers import read_headers
from schema.kafka.topics import USER_CHANGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from aiokafka import ConsumerRecord

log = structlog.get_logger(__name__)

AGAIN_S: Final = 1.0
"""So long after an error Kafka is asked again."""


class Listener:
    """Says when a canary has come out on the change topic."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._connection = connection
        self._expected: dict[str, asyncio.Event] = {}
        self.listening = asyncio.Event()
        """Set while what comes out now would be heard."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen while the context lasts. Enters at once, whether Kafka is there or not."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @contextlib.contextmanager
    def expecting(self, clerk_id: str) -> Iterator[asyncio.Event]:
        """Give the event that is set when a change of that canary comes out."""
        event = self._expected[clerk_id] = asyncio.Event()
        try:
            yield event
        finally:
            self._expected.pop(clerk_id, None)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (KafkaError, OSError) as error:
                log.warning("canary_deaf", error=type(error).__name__)
            finally:
                self.listening.clear()
            await asyncio.sleep(AGAIN_S)

    async def _listen_once(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._connection,
            client_id="clerkwork-canary",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            places = [TopicPartition(USER_CHANGES.name, n) for n in range(USER_CHANGES.partitions)]
            consumer.assign(places)
            await consumer.seek_to_end(*places)
            self.listening.set()
            while True:
                batches = await consumer.getmany(timeout_ms=1000)
                for record in (each for batch in batches.values() for each in batch):
                    self._hear(record)
        finally:
            await consumer.stop()

    def _hear(self, record: ConsumerRecord[Any, Any]) -> None:
        if read_headers(record.headers).get("ce_type") == CANARY:
            expected = self._expected.get((record.key or b"").decode(errors="replace"))
            if expected:
                expected.set()
