"""Plan a replay: which letters it would take, and what would become of them; then take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from deploy.letters.fetch import find_beginnings
from deploy.letters.operate import Operation, lock, new_id, who, write_selection
from deploy.letters.select import Selection, over_matching
from schema.kafka.topics import SOURCES
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaConsumer

    from deploy.letters.desk import Desk

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = over_matching(read_statements(__file__))
_GOALS: Final = [topic.name for topic in SOURCES]
"""Where letters may be replayed to: what a header says is not believed further than that."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would become of the letters of a selection."""

    letters: int
    """Would be replayed."""
    gone: int
    """Kafka does not have any more: they would be marked as purged."""
    astray: int
    """Do not say where they come from, or not from a topic of ours: they would stay."""

    @property
    def taken(self) -> int:
        """How many an operation would take."""
        return self.letters + self.gone


async def plan_replay(
    connection: Connection, consumer: AIOKafkaConsumer, selection: Selection
) -> Plan:
    """Find out what a replay would do. Raises OperatorError."""
    arguments = _arguments(selection)
    rows = await connection.fetch(_SQL["count_by_partition"], *arguments)
    last = {TopicPartition(row["topic"], row["partition"]): row["last"] for row in rows}
    beginnings = await find_beginnings(consumer, last) if last else {}
    columns: list[list[Any]] = [[], [], []]
    for partition, first in beginnings.items():
        for column, value in zip(columns, (*partition, first), strict=True):
            column.append(value)
    gone = await connection.fetchval(_SQL["count_gone"], *arguments, *columns)
    astray = await connection.fetchval(_SQL["count_astray"], *arguments[:-1])
    return Plan(letters=sum(row["letters"] for row in rows) - gone, gone=gone, astray=astray)


async def take(desk: Desk, selection: Selection, *, operator: str | None = None) -> Operation:
    """Begin a replay: take the letters, and write into the audit who does and what was asked.

    `operator` is who, where it is not the user of this process.
    """
    operation = new_id()
    await lock(desk.connection, operation)
    planned = await desk.connection.fetchval(
        _SQL["take_letters"],
        *_arguments(selection),
        operation,
        operator or who(),
        write_selection(selection.describe()),
    )
    return Operation(id=operation, action="replay", planned=planned)


def _arguments(selection: Selection) -> tuple[Any, ...]:
    return (*selection.arguments(), _GOALS, selection.limit)
