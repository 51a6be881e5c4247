"""Watch what arrives: in Kafka from the beginning of a visit, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deploy.arrivals import PLACES, Arrival, find_latest, read_arrival
from deploy.database import connected
from deploy.letters.desk import PATIENCE_S, naming_kafka, reading
from schema.kafka.headers import read_headers
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from aiokafka import AIOKafkaConsumer

    from deploy.connect.settings import ConnectSettings

CLIENT: Final = "clerkwork-connect"

MOST_KEPT: Final = 1000
"""So many of the latest arrivals are kept until somebody asks for them."""

LOOK_EVERY_S: Final = 0.05

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What workers made of an event."""

    outcome: str
    reason: str | None
    received_at: datetime
    applied_at: datetime

    @property
    def took_ms(self) -> float:
        """From the arrival to the row."""
        return (self.applied_at - self.received_at).total_seconds() * 1000


@dataclass(kw_only=True)
class Watcher:
    """Sees what arrives; nothing is missed between two questions."""

    settings: ConnectSettings
    latest: Arrival | None
    """The last webhook of Clerk's before the visit."""
    consumer: AIOKafkaConsumer
    seen: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    async def sees(self, event_id: str, *, within_s: float) -> bool:
        """Return whether a record with that id comes. Raises OperatorError."""
        give_up_at = time.monotonic() + within_s
        while event_id not in self.seen and time.monotonic() < give_up_at:
            await self._look()
        return event_id in self.seen

    async def next_arrival(self, *, within_s: float) -> Arrival | None:
        """Return the next webhook of Clerk's, None where none comes. Raises OperatorError."""
        give_up_at = time.monotonic() + within_s
        while not self.arrivals and time.monotonic() < give_up_at:
            await self._look()
        return self.arrivals.popleft() if self.arrivals else None

    async def wait_for_outcome(self, event_id: str, *, within_s: float) -> Outcome | None:
        """Return what became of an event, None where nothing did. Raises what the driver does."""
        give_up_at = time.monotonic() + within_s
        url = self.settings.database_url.get_secret_value()
        async with connected(url, name=CLIENT) as connection:
            while (row := await connection.fetchrow(_SQL["find_outcome"], event_id)) is None:
                if time.monotonic() >= give_up_at:
                    return None
                await asyncio.sleep(LOOK_EVERY_S)
        return Outcome(**row)

    async def _look(self) -> None:
        with naming_kafka():
            fetched = await self.consumer.getmany(timeout_ms=200)
        for record in (each for records in fetched.values() for each in records):
            event_id = read_headers(record.headers).get("ce_id", "")
            arrival = read_arrival(record)
            if arrival and event_id not in self.seen:
                self.arrivals.append(arrival)
            self.seen.append(event_id)


@contextlib.asynccontextmanager
async def watching(settings: ConnectSettings) -> AsyncIterator[Watcher]:
    """Watch while the context lasts, from now on. Raises OperatorError."""
    async with reading(settings, client=CLIENT) as consumer:
        with naming_kafka():
            async with asyncio.timeout(PATIENCE_S):
                ends = await consumer.end_offsets(PLACES)
                latest = await find_latest(consumer, ends)
            consumer.assign(PLACES)
            for place, end in ends.items():
                consumer.seek(place, end)
        yield Watcher(settings=settings, latest=latest, consumer=consumer)
