"""Let what is on its way arrive before anything is called drift."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from deploy.letters.desk import naming_kafka
from deploy.topics import connected_admin
from schema.kafka.connections import connection_arguments
from schema.kafka.topics import CLERK_EVENTS, GROUP
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg
    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.reconcile.sides import Sides

    Connection = asyncpg.Connection[asyncpg.Record]
    Offsets = Mapping[TopicPartition, int]

LOOK_EVERY_S: Final = 0.2
"""How often it is asked how far the workers have come."""

_TOPICS: Final = tuple(topic.name for topic in CLERK_EVENTS)
_PLACES: Final = tuple(
    TopicPartition(topic.name, number)
    for topic in CLERK_EVENTS
    for number in range(topic.partitions)
)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait, in seconds."""

    settle_s: float = 30.0
    """For Clerk to tell of what it has just changed."""
    workers_s: float = 120.0
    """For workers to apply what is on Kafka."""


async def settle(sides: Sides, patience: Patience) -> int:
    """Forget the suspects that were only on their way; return how far the workers are behind.

    0 where they have applied all that was on Kafka after Clerk was looked at.
    """
    connection = sides.connection
    if not await connection.fetchval(_SQL["count_suspects"]):
        return 0
    await connection.execute(_SQL["study"])
    if await connection.fetchval(_SQL["may_be_coming"], int(patience.settle_s * 1000)):
        await asyncio.sleep(patience.settle_s)
    behind = await wait_for_workers(sides, within_s=patience.workers_s)
    await look_again(connection)
    await connection.execute(_SQL["forget_settled"])
    return behind


async def look_again(connection: Connection) -> None:
    """Read the rows of all suspects again."""
    async with connection.transaction():
        await connection.execute(_SQL["look_again"])
        await connection.execute(_SQL["dismiss_memberships"])


async def note_mended(connection: Connection) -> None:
    """Note which suspects differ no more."""
    await look_again(connection)
    await connection.execute(_SQL["note_mended"])


async def wait_for_workers(sides: Sides, *, within_s: float) -> int:
    """Wait until workers have applied all that is on Kafka now, as `wait_applied` does."""
    with naming_kafka():
        ends = await sides.consumer.end_offsets(list(_PLACES))
    return await wait_applied(sides, ends, within_s=within_s)


async def wait_applied(sides: Sides, ends: Offsets, *, within_s: float) -> int:
    """Wait until workers have applied all before `ends`; return how many records are left.

    Raises OperatorError where Kafka is away, and what the database driver raises.
    """
    give_up_at = time.monotonic() + within_s
    with naming_kafka():
        begins = await sides.consumer.beginning_offsets(list(ends)) if ends else {}
        # Where retention has taken everything, nobody will ever come any further.
        needed = {place: end for place, end in ends.items() if end > begins[place]}
        async with connected_admin(connection_arguments(sides.settings)) as admin:
            while left := await _count_left(sides.connection, admin, needed):
                if time.monotonic() > give_up_at:
                    return left
                await asyncio.sleep(LOOK_EVERY_S)
    return 0


async def _count_left(connection: Connection, admin: AIOKafkaAdminClient, needed: Offsets) -> int:
    """Return how many records are left, by the database's word or that of the workers' group.

    The database knows first; the group knows of what others' databases have.
    """
    applied = {
        TopicPartition(row["topic"], row["partition"]): row["next_offset"]
        for row in await connection.fetch(_SQL["read_applied"], list(_TOPICS))
    }
    behind = {place: end - applied.get(place, 0) for place, end in needed.items()}
    if not any(left > 0 for left in behind.values()):
        return 0
    try:
        committed = await admin.list_consumer_group_offsets(GROUP)
    except GroupCoordinatorNotAvailableError:  # nobody has asked before
        return sum(max(left, 0) for left in behind.values())
    for place, held in committed.items():
        known = TopicPartition(place.topic, place.partition)
        if known in behind:
            behind[known] = min(behind[known], needed[known] - held.offset)
    return sum(max(left, 0) for left in behind.values())
