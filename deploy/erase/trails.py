"""Search every topic for a person: in which partitions they are named, how often, how far."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from deploy.erase.read import find_spans, read_records
from deploy.groups import READS
from schema.kafka.topics import CHANGES, DEAD_LETTER_TOPICS, SOURCES, TOPICS, USER_EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord
    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.erase.person import Person

    Record = ConsumerRecord[Any, Any]

SEGMENT: Final = timedelta(days=7)
"""Kafka's segment.ms, unless a cluster has another: a file goes when its last record is too old."""

READERS: Final[Mapping[str, str]] = {
    topic.name: group for group, topics in READS.items() for topic in topics
}
"""Topic -> the group that must have passed what is removed there."""

LETTERS: Final = frozenset(topic.name for topic in DEAD_LETTER_TOPICS)
COMPACTED: Final = frozenset(topic.name for topic in CHANGES)
_SOURCES: Final = frozenset(topic.name for topic in SOURCES)
_RETENTION: Final = {topic.name: topic.retention_days for topic in TOPICS}


@dataclass(kw_only=True)
class Trail:
    """Where a partition names somebody."""

    place: TopicPartition
    begins: int
    """The first offset that Kafka keeps."""
    count: int = 0
    """How many records name them; on a change topic, records with a value."""
    last: int = -1
    """The last of them."""
    last_ms: int = 0
    own: list[int] = field(default_factory=list)
    """Dead letters about them."""
    others: list[int] = field(default_factory=list)
    """Dead letters about others that name them."""
    untold: set[bytes] = field(default_factory=set)
    """Keys of a change topic whose latest record has a value that names them."""

    @property
    def end(self) -> int:
        """The offset before which all must go."""
        return self.last + 1

    @property
    def bystanders(self) -> int:
        """How many records of others lie before the last of them."""
        return self.end - self.begins - self.count

    @property
    def is_compacted(self) -> bool:
        """Whether it is a change topic, from which only compaction takes anything."""
        return self.place.topic in COMPACTED

    @property
    def is_source(self) -> bool:
        """Whether workers apply what is there in order, and note how far with the rows."""
        return self.place.topic in _SOURCES

    @property
    def kept_until(self) -> tuple[datetime, datetime]:
        """From when on, and by when, retention takes the last of them."""
        first = datetime.fromtimestamp(self.last_ms / 1000, tz=UTC) + timedelta(
            days=_RETENTION[self.place.topic] or 0
        )
        return first, first + SEGMENT

    def note(self, record: Record, person: Person) -> None:
        """Take a record into account."""
        if not person.is_named(record):
            self.untold.discard(record.key or b"")
            return
        if self.is_compacted:
            if record.value is None:
                self.untold.discard(record.key or b"")
                return
            self.untold.add(record.key or b"")
        elif self.place.topic in LETTERS:
            (self.own if person.owns(record) else self.others).append(record.offset)
        self.count += 1
        self.last, self.last_ms = record.offset, record.timestamp


async def learn_addresses(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, person: Person
) -> Person:
    """Return the person with the addresses that Clerk's events have told. Raises KafkaError."""
    topics = [name for name in _RETENTION if name.startswith(USER_EVENTS.name)]
    found: set[str] = set()
    async for records in read_records(consumer, await find_spans(admin, consumer, topics)):
        for record in records:
            if person.is_named(record):
                found.update(person.read_addresses(record))
    return person.knowing(found)


async def find_trails(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, person: Person
) -> list[Trail]:
    """Return where any topic names the person, in the order of the topics. Raises KafkaError."""
    spans = await find_spans(admin, consumer, _RETENTION)
    trails = {place: Trail(place=place, begins=span.start) for place, span in spans.items()}
    async for records in read_records(consumer, spans):
        for record in records:
            trails[TopicPartition(record.topic, record.partition)].note(record, person)
    order = list(_RETENTION)
    found = [trail for trail in trails.values() if trail.count]
    return sorted(found, key=lambda each: (order.index(each.place.topic), each.place.partition))


async def find_hindrances(
    admin: AIOKafkaAdminClient, trails: Sequence[Trail]
) -> dict[TopicPartition, list[str]]:
    """Return which groups of consumers have yet to pass each trail. Raises KafkaError."""
    behind: dict[TopicPartition, list[str]] = defaultdict(list)
    names = {name for name, *_ in await admin.list_consumer_groups()}
    for name in names | {READERS[trail.place.topic] for trail in trails}:
        offsets = await admin.list_consumer_group_offsets(name) if name in names else {}
        for trail in trails:
            at = offsets.get(trail.place)
            passed = at.offset if at and at.offset >= 0 else None
            if passed is None and READERS[trail.place.topic] == name:
                passed = 0
            if passed is not None and passed < trail.end:
                behind[trail.place].append(name)
    return dict(behind)
