"""Wait until workers have applied what is on Kafka."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError

from deploy.letters.desk import naming_kafka, reading
from deploy.spans import list_places, read_spans
from deploy.topics import connected_admin
from schema.kafka.connections import connection_arguments
from schema.kafka.topics import CLERK_EVENTS, GROUP
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import asyncpg
    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.clerk.sides import Sides

    Connection = asyncpg.Connection[asyncpg.Record]
    Offsets = Mapping[TopicPartition, int]

_LOOK_EVERY_S: Final = 0.2
_TOPICS: Final = [topic.name for topic in CLERK_EVENTS]
_SQL: Final = read_statements(__file__)


async def read_ends(sides: Sides) -> dict[TopicPartition, int]:
    """Return where Clerk's topics end by now, but for what is empty. Raises OperatorError."""
    async with reading(sides.settings, client=sides.client) as consumer:
        with naming_kafka():
            async with connected_admin(connection_arguments(sides.settings)) as admin:
                places = await list_places(admin, _TOPICS)
            spans = await read_spans(consumer, places)
    # Where retention has taken everything, nobody will ever come any further.
    return {place: span.end for place, span in spans.items() if span.end > span.start}


def _ignore(_left: int) -> None:
    """Nobody wants to know."""


async def wait_applied(
    sides: Sides,
    ends: Offsets,
    *,
    within_s: float = math.inf,
    idle_s: float = math.inf,
    tell: Callable[[int], None] = _ignore,
) -> int:
    """Wait until workers have passed `ends`, and return how many records they have not.

    That is 0, unless it takes them longer than `within_s` or they pass nothing for `idle_s`.
    `tell` hears what is left. Raises OperatorError and what the driver raises.
    """
    began_s = moved_s = time.monotonic()
    before = math.inf
    with naming_kafka():
        async with connected_admin(connection_arguments(sides.settings)) as admin:
            while left := await _count_left(sides.connection, admin, ends):
                now_s = time.monotonic()
                if left < before:
                    before, moved_s = left, now_s
                    tell(left)
                if now_s - began_s > within_s or now_s - moved_s > idle_s:
                    return left
                await asyncio.sleep(_LOOK_EVERY_S)
    tell(0)
    return 0


async def _count_left(connection: Connection, admin: AIOKafkaAdminClient, ends: Offsets) -> int:
    """Return how many records are left, by the database's word or that of the workers' group.

    The database knows first; the group knows of what a younger database never saw.
    """
    rows = await connection.fetch(_SQL["read_applied"], _TOPICS)
    passed = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    if left := _left(ends, passed):
        try:
            committed = await admin.list_consumer_group_offsets(GROUP)
        except GroupCoordinatorNotAvailableError:  # nobody has asked before
            return left
        for place, held in committed.items():
            passed[place] = max(passed.get(place, 0), held.offset)
    return _left(ends, passed)


def _left(ends: Offsets, passed: Offsets) -> int:
    return sum(max(0, end - passed.get(place, 0)) for place, end in ends.items())
