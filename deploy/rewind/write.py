"""Write what was planned: the tables first, so that a rewind that broke off is begun anew."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.rewind.stand import as_columns
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from deploy.rewind.plan import Step

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


async def forget_renewed(
    connection: Connection,
    renewed: Sequence[TopicPartition],
    letters: Mapping[TopicPartition, int],
) -> None:
    """Forget how far these were applied, and letters behind the ends of their partitions.

    Raises what the driver raises.
    """
    async with connection.transaction():
        topics, partitions, _ = as_columns(dict.fromkeys(renewed, 0))
        await connection.execute(_SQL["forget_applied"], topics, partitions)
        await connection.execute(_SQL["forget_letters"], *as_columns(letters))


async def begin_anew(connection: Connection, *, published: int, head: int) -> None:
    """Have changes go on above all that is published, and cursors from before now expire.

    `head` is the newest position that the database knows. Raises what the driver raises.
    """
    await connection.execute(_SQL["begin_anew"], published, head)


async def take(steps: Sequence[Step], connection: Mapping[str, Any]) -> None:
    """Set groups back; `connection` is how clients connect. Raises KafkaError."""
    by_group = defaultdict[str, dict[TopicPartition, int]](dict)
    for step in steps:
        by_group[step.group][step.place] = step.target
    for group, targets in by_group.items():
        consumer = AIOKafkaConsumer(
            **connection, client_id="clerkwork-rewind", group_id=group, enable_auto_commit=False
        )
        try:
            await consumer.start()
            consumer.assign(list(targets))
            await consumer.commit(targets)
        finally:
            await consumer.stop()
