"""Stories: events of many small worlds, in disorder, whose end an independent model knows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ingest.prepare import Delivery, prepare
from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.producer import Record
from schema.kafka.snapshots import ABSENCE, SNAPSHOT
from schema.kafka.topics import ORG_EVENTS, USER_EVENTS
from tests.factories import sign, user_event
from tests.integration.workers.order.facts import Told
from tests.integration.workers.order.histories import make_history
from tests.integration.workers.order.model import expected_tables
from tests.integration.workers.order.shapes import KEYS, Tables

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping, Sequence

    import asyncpg
    from aiokafka import AIOKafkaProducer

WORLD: Final = 12
"""Events of one world."""
REFUSED_NAME: Final = "Refused"
"""Once `refuse_a_name` is done, PostgreSQL takes no user of this first name."""
REPEATED: Final = 10
"""Every so-manieth event is delivered twice."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is told, and what must be left of it."""

    worlds: Sequence[Sequence[Told]]
    told: Sequence[Told]
    """All events, in the order in which they are told."""
    planted: frozenset[str] = field(default_factory=frozenset)
    """The svix-ids of events that decode well and that PostgreSQL refuses."""

    @property
    def ids(self) -> list[str]:
        """The svix-id of every event."""
        return [told.event_id for told in self.told]

    @cached_property
    def expected(self) -> Tables:
        """Every row that the worlds leave; of planted events there is none but in the ledger."""
        expected: Tables = {table: {} for table in KEYS}
        for world in self.worlds:
            for table, rows in expected_tables(world).items():
                expected[table] |= rows
        for told in self.told:
            if told.event_id in self.planted:
                expected["events"] |= _dead(told)
        return expected

    @property
    def dead(self) -> set[str]:
        """The svix-ids of all poison: what cannot be read, and what PostgreSQL refuses."""
        rows = self.expected["events"].values()
        return {row["event_id"] for row in rows if row["outcome"] == "dead"}


def make_story(
    chance: random.Random, *, events: int, planted: int = 0, looks: bool = False
) -> Story:
    """Return a story of about so many events, some of them poison of the worlds' own making.

    All are webhooks, unless some are to be `looks` at Clerk: nobody sends those to ingest.
    """
    tag = f"{chance.getrandbits(64):x}"
    worlds = [
        make_history(chance, f"{tag}w{number}", length=WORLD, looks=looks)
        for number in range(events // WORLD)
    ]
    refused = [make_refused(f"{tag}p{number}") for number in range(planted)]
    told = [*(each for world in worlds for each in world), *refused]
    chance.shuffle(told)
    return Story(worlds=worlds, told=told, planted=frozenset(each.event_id for each in refused))


def make_refused(tag: str) -> Told:
    """Return an event of a user whom PostgreSQL refuses."""
    user = f"user_{tag}"
    body = json.loads(user_event(user, at=0, first_name=REFUSED_NAME))
    return Told(event_id=f"msg_{tag}", body=body, subject=user)


def _dead(told: Told) -> dict[tuple[Any, ...], dict[str, Any]]:
    # The model judges all but the outcome: it does not know what the test has forbidden.
    row = expected_tables([told])["events"][told.event_id,]
    return {(told.event_id,): row | {"outcome": "dead"}}


async def refuse_a_name(database: asyncpg.Connection[asyncpg.Record]) -> None:
    """Have PostgreSQL refuse planted events, one by one."""
    await database.execute(
        f"ALTER TABLE users ADD CONSTRAINT refused CHECK (first_name <> '{REFUSED_NAME}')"
    )


def body_of(told: Told) -> bytes:
    """Return the event as Clerk sends it."""
    return json.dumps(told.body).encode()


def webhook(told: Told) -> tuple[bytes, Mapping[str, str]]:
    """Return body and headers of the webhook that tells the event."""
    body = body_of(told)
    return body, sign(body, event_id=told.event_id)


def record_of(told: Told) -> Record:
    """Return the record that ingest publishes, or who looks at Clerk."""
    body = body_of(told)
    if not told.body["type"].startswith((SNAPSHOT, ABSENCE)):
        delivery = Delivery(body=body, event_id=told.event_id, request_id="chaos")
        return prepare(delivery, instance_id=None).record
    headers = EventHeaders(
        event_id=told.event_id,
        event_type=told.body["type"],
        source="clerkwork/reconcile",
        occurred_at=None,
        subject=told.subject,
        request_id="chaos",
    )
    return Record(
        topic=(USER_EVENTS if told.subject else ORG_EVENTS).name,
        key=(told.subject or told.body["data"]["id"]).encode(),
        value=body,
        headers=write_event_headers(headers),
    )


async def publish(
    producer: AIOKafkaProducer, told: Iterable[Told], *, partition: int | None = None
) -> None:
    """Put events on Kafka as ingest would, some of them twice."""
    told = list(told)
    again = told[::REPEATED] if partition is None else []
    futures = []
    for each in [*told, *again]:
        record = record_of(each)
        futures.append(
            await producer.send(
                record.topic,
                record.value,
                key=record.key,
                headers=list(record.headers),
                partition=partition,
            )
        )
    for future in futures:
        await future
