"""Index dead letters: a row for each, from its headers alone, so that operators can find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from schema.kafka.clerk import MAX_MS, time_from_ms
from schema.kafka.letters import read_letter
from schema.postgres.statements import read_statements
from workers.classify import NotNowError, not_now_unless_bad
from workers.collapse import columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg
    from aiokafka import ConsumerRecord

    from schema.ops.metrics import WorkerMetrics
    from workers.commit import Control

    Records = Sequence[ConsumerRecord[Any, Any]]

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


class LetterRow(NamedTuple):
    """A row of `dead_letters`, in the order in which index.sql takes the columns."""

    topic: str
    partition: int
    offset: int
    dead_at: datetime
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    event_id: str | None
    type: str | None
    clerk_user_id: str | None
    error_class: str
    error_code: str | None
    reason: str | None
    attempts: int
    first_failed_at: datetime | None
    replays: int
    edited: bool
    state: str


@dataclass(frozen=True, kw_only=True)
class Indexer:
    """Takes batches of dead letters and does not return before they are in the index."""

    pool: asyncpg.Pool[asyncpg.Record]
    control: Control
    metrics: WorkerMetrics

    async def consume(self, records: Records) -> None:
        """Index one batch. The offsets are committed when this returns.

        Raises InterruptedWaitError when it had to stop waiting for PostgreSQL; the batch comes
        again then, here or at the partitions' next owner.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(NotNowError),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            sleep=self.control.sleep,
            before_sleep=_note_wait,
        )
        indexed: int = await attempts(index, self.pool, records)
        self.metrics.indexed.inc(indexed)
        log.info("letters_indexed", letters=len(records), new=indexed)


async def index(pool: asyncpg.Pool[asyncpg.Record], records: Records) -> int:
    """Put letters into the index and return how many are new there.

    What is there already stays as it is: operators may have changed its state. Raises
    NotNowError while PostgreSQL does not take them.
    """
    rows = [_letter_row(record) for record in records]
    with not_now_unless_bad():
        return int(await pool.fetchval(_SQL["index_letters"], *columns(rows)))


def _letter_row(record: ConsumerRecord[Any, Any]) -> LetterRow:
    letter = read_letter(record.headers)
    return LetterRow(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        dead_at=time_from_ms(min(max(record.timestamp, 0), MAX_MS)),
        source_topic=letter.source_topic,
        source_partition=letter.source_partition,
        source_offset=letter.source_offset,
        event_id=letter.event_id,
        type=letter.type,
        clerk_user_id=letter.clerk_user_id,
        error_class=letter.error_class,
        error_code=letter.error_code,
        reason=letter.reason,
        attempts=letter.attempts,
        first_failed_at=letter.first_failed_at,
        replays=letter.replays,
        edited=letter.edited,
        state=letter.state,
    )


def _note_wait(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("index_waits", error=str(error), attempt=state.attempt_number)
