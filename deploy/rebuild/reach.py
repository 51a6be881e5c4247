"""Find out whether Kafka still holds everything that the tables were made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.errors import OperatorError
from deploy.rebuild.fetch import fetch_first
from schema.kafka.clerk import time_from_ms
from schema.kafka.topics import CLERK_EVENTS
from schema.postgres.statements import read_statements
from workers.decode import read_event_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg
    from aiokafka import ConsumerRecord

    Connection = asyncpg.Connection[asyncpg.Record]
    Record = ConsumerRecord[Any, Any]

Offsets = dict[TopicPartition, int]

_TOPICS: Final = tuple(topic.name for topic in CLERK_EVENTS)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Gone:
    """What a partition does not hold any more."""

    place: TopicPartition
    begins: int
    """The first offset that it still has."""
    since: datetime | None
    """When that record was written; None where the partition is empty."""
    events: int
    """How many events of the ledger lie before it."""
    users: int
    """How many users have events there, and none in what is left of the topics."""

    def __str__(self) -> str:
        kept = f"the first record kept is of {self.since:%Y-%m-%d %H:%M:%S}" if self.since else ""
        return (
            f"{self.place.topic}/{self.place.partition}: offsets 0 to {self.begins - 1} are gone;"
            f" {kept or 'nothing is kept'}; {self.events} events of the ledger lie there,"
            f" {self.users} users have events only there."
        )


@dataclass(frozen=True, kw_only=True)
class Reach:
    """From where to where there is something to apply."""

    starts: Offsets
    committed: Offsets
    """How far the workers' group had come when it began.

    Further than what is applied, where the database is younger than that: made anew, or brought
    back from a backup.
    """

    async def read_ends(self, connection: Connection) -> Offsets:
        """Return how far each partition is passed by now."""
        return _latest(self.committed, await _read_applied(connection))


async def _read_applied(connection: Connection) -> Offsets:
    """Return how far workers have applied each partition of Clerk's events."""
    rows = await connection.fetch(_SQL["read_applied"], list(_TOPICS))
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


def _latest(one: Offsets, other: Offsets) -> Offsets:
    return {place: max(one.get(place, 0), other.get(place, 0)) for place in one | other}


async def advance_applied(connection: Connection, ends: Offsets) -> None:
    """Note, in the transaction of the swap, that all before `ends` is applied."""
    places = [(place.topic, place.partition, end) for place, end in ends.items()]
    await connection.executemany(_SQL["advance_applied"], places)


async def require_reach(
    connection: Connection, consumer: AIOKafkaConsumer, committed: Mapping[TopicPartition, int]
) -> Reach:
    """Return what was passed of each partition, once it is sure that all of it is there.

    `committed` are the offsets of the workers' group. Raises OperatorError, which says what is
    missing, or that this Kafka is not the one that the tables were made from.
    """
    applied = await _read_applied(connection)
    ours = {place: offset for place, offset in committed.items() if place.topic in _TOPICS}
    passed = _latest(ours, applied)
    ends: Offsets = await consumer.end_offsets(list(passed))
    for place, offset in passed.items():
        _require_end(place, offset, ends[place])
    begins: Offsets = await consumer.beginning_offsets(list(passed))
    cut = {place: begin for place, begin in begins.items() if begin > 0 and passed[place] > 0}
    if cut:
        firsts = await fetch_first(consumer, {p: b for p, b in cut.items() if b < ends[p]})
        gone = await _find_gone(connection, cut, firsts)
        if gone:
            raise OperatorError(_explain(gone))
    latest = {place: end - 1 for place, end in applied.items() if begins[place] < end}
    await _require_same(connection, consumer, latest)
    await _require_age(connection, consumer, {p: b for p, b in begins.items() if b < ends[p]})
    return Reach(starts=begins, committed=ours)


def _require_end(place: TopicPartition, passed: int, end: int) -> None:
    if passed > end:
        raise OperatorError(
            f"{place.topic}/{place.partition} ends at offset {end}, and workers have passed"
            f" {passed}: the topic was made anew, or KAFKA_BOOTSTRAP_SERVERS is not that of the"
            " workers. The tables cannot be rebuilt from it, and nothing was changed."
        )


async def _find_gone(
    connection: Connection, cut: Offsets, firsts: Mapping[TopicPartition, Record]
) -> list[Gone]:
    """Return what of these partitions was applied and is gone.

    That nothing was applied there counts as known only where the ledger is older than what is
    kept: it may have been shortened too.
    """
    rows = await connection.fetch(
        _SQL["count_gone"],
        [place.topic for place in cut],
        [place.partition for place in cut],
        list(cut.values()),
    )
    found: list[Gone] = []
    for row in rows:
        place = TopicPartition(row["topic"], row["partition"])
        first = firsts.get(place)
        since = datetime.fromtimestamp(first.timestamp / 1000, tz=UTC) if first else None
        if row["events"] or since is None or row["oldest"] is None or row["oldest"] > since:
            found.append(
                Gone(
                    place=place,
                    begins=cut[place],
                    since=since,
                    events=row["events"],
                    users=row["users"],
                )
            )
    return found


def _explain(gone: Sequence[Gone]) -> str:
    lines = "\n".join(str(each) for each in gone)
    return (
        "Kafka no longer holds everything that the tables were made of, so they cannot be rebuilt"
        f" from it; nothing was changed.\n{lines}\n"
        "Where the ledger was shortened, it is more. To be able to rebuild later, keep the topics"
        f" longer: retention.ms of {' and '.join(_TOPICS)}."
    )


async def _require_age(connection: Connection, consumer: AIOKafkaConsumer, begins: Offsets) -> None:
    """Refuse a Kafka that was lost since the ledger began, though its offsets begin with 0."""
    oldest: datetime | None = await connection.fetchval(_SQL["find_oldest"], list(_TOPICS))
    firsts = (await fetch_first(consumer, begins)).values()
    first = min((time_from_ms(max(record.timestamp, 0)) for record in firsts), default=None)
    if oldest and (first is None or oldest < first):
        holds = f"the first record that Kafka holds is of {first}" if first else "Kafka holds none"
        raise OperatorError(
            f"The ledger has events from {oldest}, and {holds}: the topics were made anew since."
            " The tables cannot be rebuilt from them, and nothing was changed. clerkwork reconcile"
            " --repair makes them as Clerk is."
        )


async def _require_same(
    connection: Connection, consumer: AIOKafkaConsumer, latest: Offsets
) -> None:
    """Refuse a Kafka of whose latest applied records none is in the ledger: it is another's."""
    ids = [read_event_id(record) for record in (await fetch_first(consumer, latest)).values()]
    if ids and not await connection.fetchval(_SQL["knows_any"], ids):
        raise OperatorError(
            "None of the records that were applied last is in the ledger: KAFKA_BOOTSTRAP_SERVERS"
            " is not the Kafka that the tables in DATABASE_URL were made from. Nothing was changed."
        )
