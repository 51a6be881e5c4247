"""Publish a record, or refuse at once while the broker does not acknowledge.

A circuit breaker stands before the producer, so that no request waits for a broker that is known
to be away and no memory fills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from purgatory import AsyncCircuitBreakerFactory, ContextChanged
from purgatory.domain.model import OpenedState

from schema.kafka.producer import BrokerUnavailableError, Producer, Record, Stored

if TYPE_CHECKING:
    from purgatory import Event

    from schema.ops.metrics import IngestMetrics

log = structlog.get_logger(__name__)

BREAKER_THRESHOLD: Final = 5
"""Consecutive failures after which publishing is refused without trying."""
BREAKER_OPEN_S: Final = 2.0
"""How long it is refused before the next try."""


class Publisher:
    """A producer behind a circuit breaker and a bound on what waits at once."""

    def __init__(self, producer: Producer, *, max_in_flight: int, metrics: IngestMetrics) -> None:
        self._producer = producer
        self._max_in_flight = max_in_flight
        self._metrics = metrics
        self._in_flight = 0
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=BREAKER_THRESHOLD, default_ttl=BREAKER_OPEN_S
        )
        self._breakers.add_listener(self._observe_breaker)
        self.breaker_open = False

    async def publish(self, record: Record) -> Stored:
        """Return where `record` is stored, once it is.

        Raises BrokerUnavailableError within the producer's timeout otherwise.
        """
        if self._in_flight >= self._max_in_flight:
            raise BrokerUnavailableError
        self._in_flight += 1
        try:
            async with await self._breakers.get_breaker("kafka"):
                with self._metrics.publish_seconds.time():
                    return await self._producer.send(record)
        except OpenedState as refusal:
            # One exception object serves every refusal; its traceback would grow with each.
            refusal.__traceback__ = None
            raise BrokerUnavailableError from None
        finally:
            self._in_flight -= 1

    def _observe_breaker(self, _name: str, _kind: str, event: Event) -> None:
        if isinstance(event, ContextChanged):
            self.breaker_open = event.state == "opened"
            self._metrics.breaker_open.set(self.breaker_open)
            log.warning("publish_breaker_changed", state=event.state)
