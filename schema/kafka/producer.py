"""A producer that can be relied on: idempotent, acks=all, bounded waits, replaced when it breaks.

aiokafka's own stops for good after some errors (its sender task ends, and every later send fails
with the same exception): https://github.com/aio-libs/aiokafka/issues/1017
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from tenacity import retry, retry_if_exception_type, wait_random_exponential

from schema.kafka.batches import Batches, Record, Stored
from schema.kafka.connections import name_trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

__all__ = ["BrokerUnavailableError", "Producer", "Record", "Stored"]

log = structlog.get_logger(__name__)


class BrokerUnavailableError(Exception):
    """Not now: Kafka did not acknowledge the record in time. Whoever sent it must try again."""


class Producer:
    """Sends records and says where they are stored; safe for concurrent use."""

    def __init__(self, connection: Mapping[str, Any], *, client_id: str, timeout_s: float) -> None:
        self._arguments = {**connection, "client_id": client_id}
        self._timeout_s = timeout_s
        self._batches: Batches | None = None
        self._broken = asyncio.Event()
        self._connected = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether a producer is there that has spoken to the cluster."""
        return self._batches is not None

    async def wait_connected(self) -> None:
        """Return once a producer has spoken to the cluster; waits for as long as it takes."""
        await self._connected.wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep a producer while the context lasts; flush and close it at the end.

        Enters at once, whether Kafka is there or not.
        """
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    async def send(self, record: Record) -> Stored:
        """Return where `record` is stored, once every in-sync replica has it.

        Raises BrokerUnavailableError within the timeout otherwise; the record may still arrive.
        """
        if self._batches is None:
            raise BrokerUnavailableError
        try:
            return await (await self._batches.put(record))
        except (TimeoutError, KafkaError) as error:
            raise self._name(error, record.topic) from error

    async def send_all(self, records: Sequence[Record]) -> list[Stored]:
        """Return where `records` are stored, in their order, once all of them are.

        Raises BrokerUnavailableError within the timeout otherwise; any of them may still arrive.
        """
        if self._batches is None:
            raise BrokerUnavailableError
        deliveries: list[asyncio.Future[Stored]] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                for record in records:
                    deliveries.append(await self._batches.put(record))  # noqa: PERF401 - those before one that fails must be known
                return await asyncio.gather(*deliveries)
        except (TimeoutError, KafkaError) as error:
            raise self._name(error, records[0].topic) from error
        finally:
            for delivery in deliveries:
                delivery.cancel()  # of what did not arrive in time, nobody wants to hear

    def _name(self, error: Exception, topic: str) -> BrokerUnavailableError:
        """Return what callers are told when a producer raises this, and act on it."""
        if isinstance(error, KafkaError):
            log.warning("send_failed", topic=topic, error=type(error).__name__)
            if not error.retriable:
                self._broken.set()
        return BrokerUnavailableError()

    async def _keep(self) -> None:
        """Have a working producer: start one, and another when it breaks beyond repair."""
        while True:
            producer = await self._start()
            self._broken.clear()
            self._batches = batches = Batches(producer, timeout_s=self._timeout_s)
            self._connected.set()
            try:
                await self._broken.wait()
            finally:
                self._batches = None
                self._connected.clear()
                await batches.close(within_s=self._timeout_s)
                with contextlib.suppress(KafkaError):
                    await producer.stop()

    @retry(
        retry=retry_if_exception_type((KafkaError, OSError)),
        wait=wait_random_exponential(multiplier=0.2, max=5),
    )
    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._arguments,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=128 * 1024,
            request_timeout_ms=int(self._timeout_s * 1000),
        )
        try:
            await producer.start()
        except BaseException as error:  # cancelled while starting, too: nothing may stay open
            log.warning("kafka_unreachable", error=name_trouble(error, self._arguments))
            await producer.stop()
            raise
        log.info("kafka_connected")
        return producer
