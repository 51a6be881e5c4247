"""Publishing while the broker does not acknowledge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from ingest.publish import Publisher
from schema.kafka.producer import BrokerUnavailableError, Producer, Record, Stored
from schema.ops.breakers import THRESHOLD
from schema.ops.metrics import IngestMetrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RECORD = Record(topic="t", key=b"k", value=b"v", headers=[])
STORED = Stored(topic="t", partition=0, offset=7)


class StubbornProducer(Producer):
    """A producer whose broker does as the test says."""

    def __init__(self, answer: Callable[[], Awaitable[Stored]]) -> None:
        super().__init__({}, client_id="tests", timeout_s=1)
        self.answer = answer
        self.calls = 0

    async def send(self, record: Record) -> Stored:
        """Answer as the test says."""
        del record
        self.calls += 1
        return await self.answer()


def _publisher(producer: Producer, *, max_in_flight: int = 10) -> tuple[Publisher, IngestMetrics]:
    metrics = IngestMetrics(CollectorRegistry())
    return Publisher(producer, max_in_flight=max_in_flight, metrics=metrics), metrics


async def _refuse() -> Stored:
    raise BrokerUnavailableError


async def _accept() -> Stored:
    return STORED


async def test_a_broker_that_is_away_is_not_asked_for_every_webhook() -> None:
    """After a few failures the answer comes at once, without trying."""
    producer = StubbornProducer(_refuse)
    publisher, metrics = _publisher(producer)
    for _ in range(THRESHOLD * 3):
        with pytest.raises(BrokerUnavailableError):
            await publisher.publish(RECORD)

    assert producer.calls == THRESHOLD
    assert publisher.breaker_open
    assert metrics.breaker_open.labels("kafka")._value.get() == 1


async def test_a_broker_that_is_back_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the breaker has been open long enough, one success closes it."""
    monkeypatch.setattr("ingest.publish.BREAKER_OPEN_S", 0.05)
    producer = StubbornProducer(_refuse)
    publisher, _ = _publisher(producer)
    for _ in range(THRESHOLD):
        with pytest.raises(BrokerUnavailableError):
            await publisher.publish(RECORD)
    producer.answer = _accept
    await asyncio.sleep(0.1)

    assert await publisher.publish(RECORD) == STORED
    assert not publisher.breaker_open


async def test_what_waits_at_once_is_bounded() -> None:
    """One webhook more than the bound is refused; memory does not fill while the broker hangs."""
    release = asyncio.Event()

    async def hang() -> Stored:
        await release.wait()
        return STORED

    publisher, _ = _publisher(StubbornProducer(hang), max_in_flight=3)
    waiting = [asyncio.create_task(publisher.publish(RECORD)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(BrokerUnavailableError):
        await publisher.publish(RECORD)
    release.set()

    assert await asyncio.gather(*waiting) == [STORED] * 3
