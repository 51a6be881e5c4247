"""Publish a record, or refuse at once while the broker does not acknowledge.

A circuit breaker stands before the producer, so that no request waits for a broker that is known
to be away and no memory fills.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from schema.kafka.producer import BrokerUnavailableError, Producer, Record, Stored
from schema.ops.breakers import Breaker, BreakerOpenError

if TYPE_CHECKING:
    from schema.ops.metrics import IngestMetrics

BREAKER_OPEN_S: Final = 2.0
"""How long it is refused before the next try."""


class Publisher:
    """A producer behind a circuit breaker and a bound on what waits at once."""

    def __init__(self, producer: Producer, *, max_in_flight: int, metrics: IngestMetrics) -> None:
        self._producer = producer
        self._max_in_flight = max_in_flight
        self._metrics = metrics
        self._in_flight = 0
        self._breaker = Breaker(
            "kafka", open_s=BREAKER_OPEN_S, judge=lambda _: True, gauge=metrics.breaker_open
        )

    @property
    def breaker_open(self) -> bool:
        """Whether publishing is refused because the broker did not acknowledge."""
        return self._breaker.is_open

    async def publish(self, record: Record) -> Stored:
        """Return where `record` is stored, once it is.

        Raises BrokerUnavailableError within the producer's timeout otherwise.
        """
        if self._in_flight >= self._max_in_flight:
            raise BrokerUnavailableError
        self._in_flight += 1
        try:
            with self._breaker.guard():
                started = time.perf_counter()
                try:
                    return await self._producer.send(record)
                finally:
                    self._metrics.publish_seconds.observe(time.perf_counter() - started)
        except BreakerOpenError:
            raise BrokerUnavailableError from None
        finally:
            self._in_flight -= 1
