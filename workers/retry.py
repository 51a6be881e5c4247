"""Retry what a bug has failed: wait in the tier's topic until it is due, then consume it again.

Each tier has a consumer of its own, so that nobody waits for a record that is not due but those
that are due after it. The wait is in the topic: it survives restarts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from schema.kafka.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from workers.consume import Consumer


@dataclass(frozen=True, kw_only=True)
class Retrier:
    """Takes the batches of one tier."""

    consumer: Consumer

    async def consume(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Deal with each record once it is due. Raises InterruptedWaitError as `Consumer` does."""
        waiting = list(records)
        while waiting:
            now_s = time.time()
            due = [record for record in waiting if read_due(record) <= now_s]
            if due:
                await self.consumer.consume(due)
                waiting = [record for record in waiting if read_due(record) > now_s]
            else:
                await self.consumer.control.sleep(min(map(read_due, waiting)) - now_s)


def read_due(record: ConsumerRecord[Any, Any]) -> float:
    """Return when a record is due, in seconds since 1970; at once where it does not say."""
    try:
        return datetime.fromisoformat(read_headers(record.headers)["x-retry-at"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return 0.0
