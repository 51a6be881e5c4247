"""Remove what names a person: from the tables, and from Kafka what is applied."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka.admin.records_to_delete import RecordsToDelete

from deploy.erase.letters import carry, find_obstacles, give_up
from deploy.erase.rows import erase_rows, forget_statistics, look_at_tables, read_applied
from deploy.erase.trails import LETTERS, find_hindrances, find_trails, learn_addresses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.erase.person import Person
    from deploy.erase.rows import Tables
    from deploy.erase.trails import Trail

    Connection = asyncpg.Connection[asyncpg.Record]

PASSED_WITHIN_S: Final = 30.0
"""For so long it is waited for workers to pass what is to be removed."""

_LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where somebody may be."""

    connection: Connection
    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    """Idempotent, acks=all."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where somebody is."""

    person: Person
    tables: Tables
    trails: Sequence[Trail]

    @property
    def removable(self) -> list[Trail]:
        """What can be removed from Kafka; from change topics only compaction takes anything."""
        return [trail for trail in self.trails if not trail.is_compacted]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left but what compaction has yet to take."""
        told = all(not trail.untold for trail in self.trails)
        return self.tables.is_clean and not self.removable and told


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What was done, and why the rest was left."""

    cut: int
    """Partitions of which the beginning was removed."""
    carried: int
    """Letters of others that were stored again."""
    behind: Mapping[TopicPartition, list[str]]
    """Partition -> who has yet to apply or index what is there."""
    obstacles: Sequence[str]
    """Letters of others that name the person and wait, or that an operation has taken."""


async def learn(servers: Servers, person: Person) -> Person:
    """Return the person with all addresses that are known of them. Raises KafkaError."""
    tables = await look_at_tables(servers.connection, person.clerk_id)
    if tables.email:
        person = person.knowing([tables.email])
    return await learn_addresses(servers.admin, servers.consumer, person)


async def look(servers: Servers, person: Person) -> Found:
    """Return where the person is. Raises KafkaError."""
    tables = await look_at_tables(servers.connection, person.clerk_id)
    trails = await find_trails(servers.admin, servers.consumer, person)
    return Found(person=person, tables=tables, trails=trails)


async def remove(servers: Servers, found: Found) -> Removed:
    """Remove somebody who is deleted. Raises KafkaError, and what the driver raises."""
    clerk_id = found.person.clerk_id
    await erase_rows(servers.connection, clerk_id)
    await forget_statistics(servers.connection)
    behind = await _wait_passed(servers, found.removable)
    ready, obstacles, carried = list["Trail"](), list[str](), 0
    for trail in found.removable:
        if trail.place in behind:
            continue
        if trail.place.topic in LETTERS:
            if blocked := await find_obstacles(servers.connection, trail):
                obstacles += blocked
                continue
            await give_up(servers.connection, trail, clerk_id=clerk_id)
            carried += await carry(servers.connection, servers.consumer, servers.producer, trail)
        ready.append(trail)
    if ready:
        ends = {trail.place: RecordsToDelete(trail.end) for trail in ready}
        await servers.admin.delete_records(ends)
    return Removed(cut=len(ready), carried=carried, behind=behind, obstacles=obstacles)


async def _wait_passed(
    servers: Servers, trails: Sequence[Trail]
) -> Mapping[TopicPartition, list[str]]:
    """Wait a while until all have passed the trails; return who has not, of each partition."""
    give_up_s = time.monotonic() + PASSED_WITHIN_S
    while behind := await _find_behind(servers, trails):
        if time.monotonic() > give_up_s:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    return behind


async def _find_behind(
    servers: Servers, trails: Sequence[Trail]
) -> dict[TopicPartition, list[str]]:
    behind = await find_hindrances(servers.admin, trails)
    applied = await read_applied(servers.connection)
    for trail in trails:
        if trail.is_source and applied.get(trail.place, 0) < trail.end:
            behind.setdefault(trail.place, []).append("the database")
    return behind
