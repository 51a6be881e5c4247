"""Wait until workers have applied what was published, and find out what became of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from deploy.letters.desk import naming_kafka, reading
from deploy.topics import connected_admin
from schema.kafka.connections import connection_arguments
from schema.kafka.snapshots import SNAPSHOT
from schema.kafka.topics import CLERK_EVENTS, GROUP
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import asyncpg
    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.backfill.note import Sweep
    from schema.kafka.snapshots import Kind
    from schema.ops.settings import KafkaSettings

    Connection = asyncpg.Connection[asyncpg.Record]
    Offsets = Mapping[TopicPartition, int]

PATIENCE_S: Final = 60.0
"""How long workers may apply nothing before nobody waits for them any more."""

NAMED: Final = 20
"""How many of what failed are named."""

_LOOK_EVERY_S: Final = 0.25
_TOPICS: Final = tuple(topic.name for topic in CLERK_EVENTS)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A snapshot that could not be applied."""

    event_id: str
    clerk_user_id: str | None
    outcome: str
    """dead | retrying."""
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What became of the snapshots of one resource."""

    counts: Mapping[str, int]
    """Outcome -> how many, as the ledger has them."""
    failures: tuple[Failure, ...]
    """Some of those that failed."""


async def read_ends(settings: KafkaSettings) -> dict[TopicPartition, int]:
    """Return where Clerk's topics end by now. Raises OperatorError."""
    async with reading(settings, client="clerkwork-backfill") as consumer:
        with naming_kafka():
            async with connected_admin(connection_arguments(settings)) as admin:
                topics = await admin.describe_topics(list(_TOPICS))
            places = [
                TopicPartition(topic["topic"], each["partition"])
                for topic in topics
                for each in topic["partitions"]
            ]
            ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    return ends


async def wait_applied(
    settings: KafkaSettings,
    connection: Connection,
    ends: Offsets,
    *,
    tell: Callable[[int], None],
) -> int:
    """Wait until workers have passed `ends`, and return how many records they have not.

    That is 0, unless they have passed nothing for too long. `tell` hears what is left. Raises
    OperatorError and what the driver raises.
    """
    with naming_kafka():
        async with connected_admin(connection_arguments(settings)) as admin:
            left, moved_at = None, time.monotonic()
            while True:
                found = _left(ends, await _read_passed(connection, admin))
                if left is None or found < left:
                    left, moved_at = found, time.monotonic()
                    tell(left)
                if left == 0 or time.monotonic() - moved_at > PATIENCE_S:
                    return left
                await asyncio.sleep(_LOOK_EVERY_S)


def _left(ends: Offsets, passed: Offsets) -> int:
    return sum(max(0, end - passed.get(place, 0)) for place, end in ends.items())


async def _read_passed(connection: Connection, admin: AIOKafkaAdminClient) -> Offsets:
    """Return how far partitions are passed: what a younger database never saw counts as passed."""
    rows = await connection.fetch(_SQL["read_applied"], list(_TOPICS))
    passed = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    try:
        committed = await admin.list_consumer_group_offsets(GROUP)
    except GroupCoordinatorNotAvailableError:  # nobody has asked before
        return passed
    for place, held in committed.items():
        passed[place] = max(passed.get(place, 0), held.offset)
    return passed


async def read_outcomes(connection: Connection, kind: Kind, sweep: Sweep) -> Outcomes:
    """Return what the ledger says of a sweep's snapshots."""
    arguments = SNAPSHOT + kind, sweep.started_at
    counts = await connection.fetch(_SQL["count_outcomes"], *arguments)
    failures = await connection.fetch(_SQL["list_failures"], *arguments, NAMED)
    return Outcomes(
        counts={row["outcome"]: row["events"] for row in counts},
        failures=tuple(Failure(**row) for row in failures),
    )
