"""Hand a record to Kafka and wait, not for ever, until every in-sync replica has it.

The producer is idempotent with acks=all. While the broker does not acknowledge, a circuit
breaker answers at once in its place, so that no request waits and no memory fills.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from purgatory import AsyncCircuitBreakerFactory, ContextChanged
from purgatory.domain.model import OpenedState
from tenacity import retry, retry_if_exception_type, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from purgatory import Event

    from schema.kafka.headers import RawHeaders
    from schema.ops.metrics import IngestMetrics

log = structlog.get_logger(__name__)

BREAKER_THRESHOLD: Final = 5
"""Consecutive failures after which publishing is refused without trying."""
BREAKER_OPEN_S: Final = 2.0
"""How long it is refused before the next try."""


class BrokerUnavailableError(Exception):
    """Not now: Kafka did not acknowledge the record in time. The sender must try again."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Where Kafka keeps a record."""

    topic: str
    partition: int
    offset: int


class Publisher:
    """An idempotent producer that is replaced when it breaks; safe for concurrent use."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        *,
        timeout_s: float,
        max_in_flight: int,
        metrics: IngestMetrics,
    ) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._max_in_flight = max_in_flight
        self._metrics = metrics
        self._in_flight = 0
        self._producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=BREAKER_THRESHOLD, default_ttl=BREAKER_OPEN_S
        )
        self._breakers.add_listener(self._observe_breaker)
        self.breaker_open = False

    @property
    def connected(self) -> bool:
        """Whether a producer is there that has spoken to the cluster."""
        return self._producer is not None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep a producer while the context lasts; flush and close it at the end.

        Enters at once, whether Kafka is there or not.
        """
        keeper = asyncio.create_task(self._keep_producer())
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    async def publish(self, *, topic: str, key: str, value: bytes, headers: RawHeaders) -> Stored:
        """Return where the record is stored, once it is.

        Raises BrokerUnavailableError within the timeout otherwise; the record may still arrive.
        """
        if self._in_flight >= self._max_in_flight:
            raise BrokerUnavailableError
        self._in_flight += 1
        try:
            async with await self._breakers.get_breaker("kafka"):
                with self._metrics.publish_seconds.time():
                    return await self._send(topic, key=key, value=value, headers=headers)
        except OpenedState as refusal:
            # One exception object serves every refusal; its traceback would grow with each.
            refusal.__traceback__ = None
            raise BrokerUnavailableError from None
        finally:
            self._in_flight -= 1

    async def _send(self, topic: str, *, key: str, value: bytes, headers: RawHeaders) -> Stored:
        if self._producer is None:
            raise BrokerUnavailableError
        try:
            async with asyncio.timeout(self._timeout_s):
                delivery = await self._producer.send(
                    topic, value=value, key=key.encode(), headers=headers
                )
                stored = await delivery
        except TimeoutError:
            raise BrokerUnavailableError from None
        except KafkaError as error:
            log.warning("publish_failed", topic=topic, error=type(error).__name__)
            if not error.retriable:
                self._broken.set()
            raise BrokerUnavailableError from error
        return Stored(topic=stored.topic, partition=stored.partition, offset=stored.offset)

    def _observe_breaker(self, _name: str, _kind: str, event: Event) -> None:
        if isinstance(event, ContextChanged):
            self.breaker_open = event.state == "opened"
            self._metrics.breaker_open.set(self.breaker_open)
            log.warning("publish_breaker_changed", state=event.state)

    async def _keep_producer(self) -> None:
        """Have a working producer: start one, and another when it breaks beyond repair."""
        while True:
            producer = await self._start_producer()
            self._broken.clear()
            self._producer = producer
            try:
                await self._broken.wait()
            finally:
                self._producer = None
                with contextlib.suppress(KafkaError):
                    await producer.stop()

    @retry(retry=retry_if_exception_type(KafkaError), wait=wait_random_exponential(0.2, max=5))
    async def _start_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._connection,
            client_id="clerkwork-ingest",
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=128 * 1024,
            max_request_size=1024 * 1024,
            request_timeout_ms=int(self._timeout_s * 1000),
        )
        try:
            await producer.start()
        except KafkaError as error:
            log.warning("kafka_unreachable", error=type(error).__name__)
            await producer.stop()
            raise
        log.info("kafka_connected")
        return producer
