"""Many records at once are dealt with batch by batch, and none waits for the one before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from schema.ops.metrics import WorkerMetrics, new_registry
from tests.factories import make_record, user_event
from workers import consume as module
from workers.commit import Control
from workers.consume import Consumer
from workers.decode import Event, decode
from workers.record import Applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from aiokafka import ConsumerRecord

    Record = ConsumerRecord[Any, Any]


class Database:
    """Applies a batch only once the next one is decoded."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.batches: list[list[int]] = []
        self.decoded: set[int] = set()
        self.progress = asyncio.Event()

    def decode(self, record: Record) -> Event:
        """Decode, and remember what."""
        self.decoded.add(record.offset)
        self.progress.set()
        return decode(record)

    async def apply(self, _pool: Any, events: Sequence[Event], *_: Any) -> list[Applied]:
        """Take a batch, and its time."""
        offsets = [event.record.offset for event in events]
        async with asyncio.timeout(5):
            while min(offsets[-1] + 1, self.last) not in self.decoded:
                self.progress.clear()
                await self.progress.wait()
        self.batches.append(offsets)
        return [Applied(event, "applied") for event in events]


async def test_a_batch_is_decoded_while_the_one_before_is_applied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One batch at a time is applied, in the order of the records."""
    database = Database(last=4)
    monkeypatch.setattr(module, "decode", database.decode)
    monkeypatch.setattr(module, "apply", database.apply)
    consumer = Consumer(
        pool=cast("Any", None),
        producer=cast("Any", None),
        control=Control(),
        metrics=WorkerMetrics(new_registry()),
        batch_size=2,
    )
    body = user_event("user_1", at=0)
    await consumer.consume([make_record(body, offset=offset) for offset in range(5)])

    assert database.batches == [[0, 1], [2, 3], [4]]
