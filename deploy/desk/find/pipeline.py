"""Find how the pipeline is: how far Kafka's topics reach, and how far they are applied and told."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from deploy.desk.find.letters import count_states
from deploy.doctor import postgres as doctor
from deploy.groups import read_times
from schema.kafka.topics import SOURCES
from schema.postgres.statements import read_statements
from workers.relay import measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg
    from aiokafka import AIOKafkaConsumer

    from deploy.groups import Group

    Connection = asyncpg.Connection[asyncpg.Record]
    Offsets = Mapping[TopicPartition, int]

MINUTES: Final = 30
"""For how long back it is told how much arrived in each minute."""
MOST_COUNTED: Final = 10_000
"""More changes that wait are not counted."""
LOOK_S: Final = 0.5
"""How long the oldest records are looked for."""

PLACES: Final = [
    TopicPartition(topic.name, number) for topic in SOURCES for number in range(topic.partitions)
]
"""What workers consume."""

_SQL: Final = read_statements(__file__)
_DOCTOR: Final = read_statements(doctor.__file__)
_BACKLOG: Final = read_statements(measure.__file__)


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What PostgreSQL knows."""

    applied: Mapping[TopicPartition, int]
    """What comes after what is applied."""
    applied_at: datetime | None
    """When something was applied last."""
    stops: Sequence[Any]
    letters: Sequence[Any]
    relays: int
    pending: int
    pending_s: float


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far the topics reach, in Kafka."""

    firsts: Offsets
    ends: Offsets
    begins: Offsets
    """What is to be applied next."""
    members: int
    """How many workers consume."""
    waiting_ms: Mapping[TopicPartition, int]
    """When Kafka had the oldest record that is not applied, where there is one."""
    minutes: Sequence[tuple[int, int]]
    """The second at which each minute began, and how many records there had been, the oldest first;
    the last is now."""


async def read_tables(connection: Connection) -> Tables:
    """Return what PostgreSQL knows of the pipeline."""
    rows = await connection.fetch(_SQL["list_applied"])
    [backlog] = await connection.fetch(_BACKLOG["measure_backlog"], 0, MOST_COUNTED)
    return Tables(
        applied={TopicPartition(row[0], row[1]): row["next_offset"] for row in rows},
        applied_at=max((row["applied_at"] for row in rows), default=None),
        stops=await connection.fetch(_SQL["list_stops"]),
        letters=await count_states(connection),
        relays=await connection.fetchval(_DOCTOR["count_relays"]),
        pending=backlog["pending"],
        pending_s=backlog["lag"],
    )


async def find_stop(connection: Connection, line: tuple[str, int]) -> Any:
    """Return the stop of a partition, None where it is not stopped."""
    stops = await connection.fetch(_SQL["list_stops"])
    return next((row for row in stops if (row["topic"], row["partition"]) == line), None)


class Counter:
    """Counts what arrived in each minute; what it has once found out it does not ask again."""

    def __init__(self) -> None:
        self._sums: dict[int, int] = {}

    async def count(self, consumer: AIOKafkaConsumer, ends: Offsets) -> list[tuple[int, int]]:
        """Return as `Reach.minutes`, by Kafka's index of time. Raises KafkaError."""
        now = int(time.time())
        begins = range((now // 60 - MINUTES) * 60, now + 1, 60)
        self._sums = {at: self._sums[at] for at in begins if at in self._sums}
        for at in begins:
            if at not in self._sums:
                found = await consumer.offsets_for_times(dict.fromkeys(PLACES, at * 1000))
                total = sum(held.offset if (held := found.get(p)) else ends[p] for p in PLACES)
                if at < now - 5:  # what is on its way may still be of that minute
                    self._sums[at] = total
                else:
                    return [*self._sums.items(), (at, total), (now, sum(ends.values()))]
        return [*self._sums.items(), (now, sum(ends.values()))]


async def read_reach(
    consumer: AIOKafkaConsumer, applied: Offsets, *, group: Group, counter: Counter
) -> Reach:
    """Return how far the topics reach, and since when records wait. Raises KafkaError.

    The tables know how far is applied a moment before the group does; where workers were told to
    begin elsewhere, the group knows better.
    """
    firsts: dict[TopicPartition, int] = await consumer.beginning_offsets(PLACES)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(PLACES)
    begins = {
        place: max(applied.get(place, 0), group.committed.get(place, 0), firsts[place])
        for place in PLACES
    }
    behind = {place: at for place, at in begins.items() if at < ends[place]}
    return Reach(
        firsts=firsts,
        ends=ends,
        begins=begins,
        members=group.members,
        waiting_ms=await read_times(consumer, behind, within_s=LOOK_S) if behind else {},
        minutes=await counter.count(consumer, ends),
    )


class History:
    """What this desk has seen of how much is applied: a sum for each minute."""

    def __init__(self) -> None:
        self._sums: deque[tuple[int, int]] = deque(maxlen=MINUTES + 1)

    def note(self, applied: Offsets) -> None:
        """Keep the sum of a new minute."""
        minute = int(time.time()) // 60 * 60
        if not self._sums or self._sums[-1][0] < minute:
            self._sums.append((minute, sum(applied.values())))

    def points(self, applied: Offsets) -> list[tuple[int, int]]:
        """Return as `Reach.minutes`."""
        return [*self._sums, (int(time.time()), sum(applied.values()))]


def per_minute(sums: Sequence[tuple[int, int]]) -> list[tuple[datetime, int]]:
    """Return the beginning of each minute, and by how much the sum grew from there."""
    return [
        (datetime.fromtimestamp(at, UTC), max(0, after - before))
        for (at, before), (_, after) in itertools.pairwise(sums)
    ]


async def every_minute(look: Any) -> None:
    """Call `look` at the beginning of each minute, for ever."""
    while True:
        await look()
        await asyncio.sleep(60 - time.time() % 60 + 0.1)
