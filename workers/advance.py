"""Advance the applied offsets in the transaction of the rows: a skipped record becomes visible.

Kafka's committed offsets say what was promised, these what was done. A batch that begins beyond
what is applied has skipped something, by a bug of ours or of a library, a hand on the group's
offsets, a retention too short, or a database restored from a backup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg
    from aiokafka import ConsumerRecord

_SQL: Final = read_statements(__file__)


class Gap(NamedTuple):
    """Records that nobody applied."""

    topic: str
    partition: int
    skipped: int
    """How many offsets lie between what was applied and what came next."""
    applied: int
    """The first of them."""


async def advance_offsets(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    records: Sequence[ConsumerRecord[Any, Any]],
) -> list[Gap]:
    """Note that these records are applied; return what was skipped before them."""
    first: dict[tuple[str, int], int] = {}
    last: dict[tuple[str, int], int] = {}
    for record in records:
        place = record.topic, record.partition
        first.setdefault(place, record.offset)
        last[place] = record.offset
    rows = await connection.fetch(
        _SQL["advance_offsets"],
        [topic for topic, _ in first],
        [partition for _, partition in first],
        list(first.values()),
        [last[place] + 1 for place in first],
    )
    return [
        Gap(**row, applied=first[row["topic"], row["partition"]] - row["skipped"]) for row in rows
    ]
