"""How far behind a partition is, as its owner knows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from schema.ops.metrics import WorkerMetrics
from tests.factories import make_record
from workers import lag as module
from workers.commit import Control
from workers.lag import Lag

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aiokafka import ConsumerRecord

ZERO, ONE = TopicPartition("clerk.user-events", 0), TopicPartition("clerk.user-events", 1)


class Consumer:
    """What a consumer knows of its partitions."""

    def __init__(self) -> None:
        self.owned: set[TopicPartition] = {ZERO, ONE}
        self.ends: dict[TopicPartition, int | None] = {ZERO: 0, ONE: None}
        self.positions = {ZERO: 0, ONE: 0}
        self.asked: Mapping[TopicPartition, int] | None = None

    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions that are ours."""
        return frozenset(self.owned)

    def highwater(self, place: TopicPartition) -> int | None:
        """Return what the latest answer of Kafka's said."""
        return self.ends[place]

    async def position(self, place: TopicPartition) -> int:
        """Return what is handed over next."""
        return self.positions[place]

    async def end_offsets(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Ask Kafka."""
        del places
        if self.asked is None:
            raise KafkaConnectionError
        return self.asked


class World:
    """A lag, its consumer and what is shown of it."""

    def __init__(self) -> None:
        self.consumer = Consumer()
        self.registry = CollectorRegistry()
        control = Control()
        control.find_consumer = lambda: cast("Any", self.consumer)
        self.lag = Lag(control, WorkerMetrics(self.registry))

    async def look(self, place: TopicPartition = ZERO) -> tuple[float, float] | None:
        """Return records and seconds, these in tens; None where nothing is shown."""
        await self.lag.measure()
        labels = {"topic": place.topic, "partition": str(place.partition)}
        records = self.registry.get_sample_value("clerkwork_lag_records", labels)
        seconds = self.registry.get_sample_value("clerkwork_lag_seconds", labels)
        return None if records is None or seconds is None else (records, round(seconds, -1))

    def hand_over(self, records: Sequence[ConsumerRecord[Any, Any]], *, end: int) -> None:
        """Let the loop have these, of one partition that has more until `end`."""
        self.consumer.ends[ZERO] = end
        self.consumer.positions[ZERO] = records[-1].offset + 1
        self.lag.take({ZERO: records})


@pytest.fixture
def world() -> World:
    """One of each."""
    return World()


def _records(*offsets: int, ages_s: Sequence[float]) -> list[ConsumerRecord[Any, Any]]:
    records = [make_record(b"{}", offset=offset) for offset in offsets]
    for record, age_s in zip(records, ages_s, strict=True):
        object.__setattr__(record, "timestamp", int((time.time() - age_s) * 1000))
    return records


async def test_nothing_waits_where_all_is_applied(world: World) -> None:
    """An age of 0, whatever the age of the latest record; of what Kafka has not told, nothing."""
    assert await world.look() == (0, 0)
    assert await world.look(ONE) is None


async def test_the_oldest_record_in_flight_is_the_age(world: World) -> None:
    """Handed over is not applied: not before the batch is."""
    world.hand_over(_records(7, 8, ages_s=[90, 30]), end=20)

    assert await world.look() == (13, 90)


async def test_what_follows_a_batch_is_as_old_as_its_last(world: World) -> None:
    """It was there already; and when all is applied there is no age."""
    world.hand_over(_records(7, 8, ages_s=[90, 30]), end=20)
    world.lag.land()
    assert await world.look() == (11, 30)

    world.hand_over(_records(*range(9, 20), ages_s=[10] * 11), end=20)
    world.lag.land()
    assert await world.look() == (0, 0)


async def test_what_comes_after_a_silence_is_new(world: World) -> None:
    """However long ago the latest record was."""
    world.hand_over(_records(7, ages_s=[9000]), end=8)
    world.lag.land()
    world.consumer.ends[ZERO] = 10

    assert await world.look() == (2, 0)


async def test_a_batch_that_takes_long_has_kafka_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop fetches nothing meanwhile; where Kafka is away too, what was known counts."""
    monkeypatch.setattr(module, "ASK_AFTER_S", -1)
    world.hand_over(_records(7, ages_s=[60]), end=8)
    assert await world.look() == (1, 60)
    world.consumer.asked = {ZERO: 1007, ONE: 0}

    assert await world.look() == (1000, 60)
    assert await world.look(ONE) == (0, 0)


async def test_what_is_taken_away_is_not_told_any_more(world: World) -> None:
    """Its new owner tells of it; here it begins anew when it comes back."""
    world.hand_over(_records(7, ages_s=[60]), end=9)
    await world.look()
    world.consumer.owned = {ONE}
    assert await world.look() is None

    world.lag.take({})
    world.consumer.owned = {ZERO}
    assert await world.look() == (1, 0)
