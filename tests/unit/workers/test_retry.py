"""A record in a retry topic is dealt with when it is due, and no sooner."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.factories import make_record
from workers.commit import Control, InterruptedWaitError
from workers.retry import Retrier, read_due

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from workers.consume import Consumer


class Noting:
    """A consumer that notes what it was given, and when."""

    def __init__(self) -> None:
        self.control = Control()
        self.taken: list[tuple[float, list[int]]] = []

    async def consume(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Note it."""
        self.taken.append((time.time(), [record.offset for record in records]))


def _due(seconds: float, offset: int) -> ConsumerRecord[Any, Any]:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    headers = [("x-retry-at", at.isoformat().encode())]
    return make_record(b"{}", offset=offset, headers=headers)


async def test_each_record_is_taken_once_when_it_is_due() -> None:
    """Those that are due go together; the others wait for their time."""
    consumer = Noting()
    records = [_due(-60, 0), _due(0.3, 1), _due(-1, 2), _due(0.1, 3)]
    due = {record.offset: read_due(record) for record in records}
    await Retrier(consumer=cast("Consumer", consumer)).consume(records)

    assert consumer.taken[0][1] == [0, 2]
    assert sorted(offset for _, offsets in consumer.taken for offset in offsets) == [0, 1, 2, 3]
    assert all(at >= due[offset] for at, offsets in consumer.taken for offset in offsets)


async def test_a_wait_ends_at_once_when_the_worker_stops() -> None:
    """What was not due comes again."""
    consumer = Noting()
    waiting = asyncio.create_task(
        Retrier(consumer=cast("Consumer", consumer)).consume([_due(3600, 0)])
    )
    await asyncio.sleep(0)
    consumer.control.stop()
    with pytest.raises(InterruptedWaitError):
        await waiting

    assert consumer.taken == []


@pytest.mark.parametrize("header", [None, b"", b"soon", b"\xff", b"2026-13-01T00:00:00Z"])
def test_a_record_that_does_not_say_is_due(header: bytes | None) -> None:
    """Whoever put it there."""
    assert read_due(make_record(b"{}", headers=[("x-retry-at", header)])) == 0
