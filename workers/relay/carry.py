"""Carry changes from the outbox to Kafka, batch after batch, for as long as a term lasts."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers.relay.fetch import fetch_changes
from workers.relay.note import note_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from schema.ops.metrics import RelayMetrics
    from workers.relay.fetch import Change
    from workers.relay.publish import Publisher

    Connection = asyncpg.Connection[asyncpg.Record]

LOOK_EVERY_S: Final = 1.0
"""The outbox is looked at so often even if nobody wakes us."""

NOTE_EVERY_S: Final = 1.0


class OutOfOrderError(Exception):
    """The outbox handed out a position that does not come after the one before: a bug."""


@dataclass(kw_only=True)
class Carrier:
    """What a term does, and how far it has come."""

    connection: Connection
    publisher: Publisher
    metrics: RelayMetrics
    limit: int
    """Most changes in a batch."""
    position: int
    """All up to here is on the topics."""
    woken: asyncio.Event
    """Set when there is something new, or something has happened to the session."""
    stopping: asyncio.Event
    """Set, and `woken` with it, when the batch on its way is to be the last."""
    _noted: int = field(init=False, default=0)
    _noted_at: float = field(init=False, default=0.0)

    async def carry(self) -> None:
        """Publish until told to stop. Raises KafkaError, NotNowError, OutOfOrderError."""
        changes: list[Change] = []
        while not self.stopping.is_set():
            self.woken.clear()
            changes = changes or await self._fetch(self.position)
            if changes:
                changes = await self._hand_over(changes)
            else:
                await self._rest()
            if time.monotonic() - self._noted_at >= NOTE_EVERY_S:
                await self.note()

    async def note(self) -> None:
        """Note how far it has come, unless it has not come further."""
        if self.position > self._noted:
            await note_progress(self.connection, self.position)
            self._noted, self._noted_at = self.position, time.monotonic()

    async def _fetch(self, after: int) -> list[Change]:
        return await fetch_changes(self.connection, after=after, limit=self.limit)

    async def _hand_over(self, changes: Sequence[Change]) -> list[Change]:
        """Publish a batch, and return the next one, which is fetched meanwhile."""
        self._check_order(changes)
        sent = asyncio.Event()
        if len(changes) == self.limit:
            sent.set()  # more is waiting: nothing is gained by waiting with it
        fetching = asyncio.ensure_future(self._fetch_after(changes[-1].position, sent))
        try:
            await self.publisher.publish(changes, sent=sent)
            self.position = changes[-1].position
            self._count(changes)
            return await fetching
        finally:
            # Nothing else may use the connection before this is done with it.
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    async def _fetch_after(self, position: int, sent: asyncio.Event) -> list[Change]:
        """Fetch as late as nobody waits for it: what is committed until then is in the batch."""
        await sent.wait()
        return await self._fetch(position)

    def _check_order(self, changes: Sequence[Change]) -> None:
        positions = [self.position, *(change.position for change in changes)]
        pairs = itertools.pairwise(positions)
        violations = sum(later <= earlier for earlier, later in pairs)
        self.metrics.order_checked.inc(len(changes))
        self.metrics.order_violations.inc(violations)
        if violations:
            raise OutOfOrderError

    def _count(self, changes: Sequence[Change]) -> None:
        now_us = time.time() * 1e6
        observe = self.metrics.publish_seconds.observe
        topics: dict[str, int] = {}
        for change in changes:
            # Ours may be behind PostgreSQL's clock.
            observe(max(0.0, (now_us - change.position) / 1e6))
            topics[change.topic] = topics.get(change.topic, 0) + 1
        for topic, count in topics.items():
            self.metrics.published.labels(topic).inc(count)

    async def _rest(self) -> None:
        """Wait for something new, and look anyway after a while."""
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self.woken.wait()
        except TimeoutError:
            return
