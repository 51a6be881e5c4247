"""Kafka as a list: what was published and is not applied yet, to be taken in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.prepare import Delivery, prepare
from schema.kafka.producer import Record, Stored
from tests.factories import make_record
from workers.decode import decode

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from deploy.standin.told import Told
    from workers.decode import Event


class DiedError(BaseException):
    """The process that publishes died here; no handler of ordinary errors is to notice."""


class Belt:
    """What a Producer is to those who publish, and Kafka to those who work."""

    def __init__(self) -> None:
        self.waiting: list[Event] = []
        self.published = 0
        self.dies_in: int | None = None
        """So many records from now on whoever publishes dies."""

    async def send(self, record: Record) -> Stored:
        """Keep a record, or raise DiedError."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                raise DiedError
        return self._keep(record)

    async def send_all(self, records: Sequence[Record]) -> list[Stored]:
        """Keep records, or only some."""
        return [await self.send(each) for each in records]

    def deliver(self, told: Told) -> None:
        """Have a webhook delivered, as ingest does it."""
        delivery = Delivery(body=told.body, event_id=told.event_id, request_id="truth")
        self._keep(prepare(delivery, instance_id=None).record)

    def take(self, chance: random.Random, most: int) -> list[Event]:
        """Take so many events at most, whichever, in any order, some of them twice."""
        batch = chance.sample(self.waiting, min(most, len(self.waiting)))
        taken = {id(each) for each in batch}
        self.waiting = [each for each in self.waiting if id(each) not in taken]
        again = chance.sample(batch, len(batch) // 4)
        return [*batch, *again]

    def _keep(self, record: Record) -> Stored:
        self.published += 1
        made = make_record(
            record.value, topic=record.topic, offset=self.published, headers=record.headers
        )
        self.waiting.append(decode(made))
        return Stored(topic=record.topic, partition=0, offset=self.published)
