"""Events of users who are there already: three snapshots that change them, then a sign-in.

As large as Clerk's, with the headers that ingest writes; every one is news, so that each is told.
"""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.partition import choose_partition
from schema.kafka.topics import USER_EVENTS
from tests.bench.growth_fill import clerk_id
from tests.factories import CREATED_MS, make_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import AIOKafkaProducer

    from schema.kafka.headers import RawHeaders

SIGN_IN_EVERY: Final = 4
PER_BATCH: Final = 100
_USER: Final = "user_@"
_SESSION: Final = "sess_@"
_AT: Final = 1_111_111_111_111
_SEATS: Final = 2_222_222_222
_SINCE: Final = 3_333_333_333_333
_EMAIL: Final = b"nadia.quill@example.com"


class Made(NamedTuple):
    """An event as it is to be published."""

    event_id: str
    user_id: str
    value: bytes
    headers: RawHeaders


@cache
def _template(kind: str) -> bytes:
    changed: dict[str, Any] = {"created_at": _SINCE, "updated_at": _AT}
    metadata = {"plan": "team", "seats": _SEATS}
    body = make_body("user.created", id=_USER, public_metadata=metadata, **changed)
    user = json.loads(body)["data"]
    if kind == "session.created":
        times: dict[str, Any] = dict.fromkeys(("created_at", "updated_at", "last_active_at"), _AT)
        return make_body(kind, timestamp=_AT, id=_SESSION, user_id=_USER, user=user, **times)
    body = make_body("user.created", timestamp=_AT, **user)
    return body.replace(b'"user.created"', b'"user.updated"')


def make_events(count: int, *, users: int, seed: int) -> Iterator[Made]:
    """Make events of users by chance, each a millisecond after the one before."""
    chance = random.Random(seed)  # noqa: S311  # nobody has to guess it
    begun = int(time.time() * 1000) - count
    for number in range(count):
        kind = "user.updated" if (number + 1) % SIGN_IN_EVERY else "session.created"
        at, n = begun + number, chance.randrange(users)
        user = clerk_id("user", n)
        event_id = f"msg_{begun // 1000}{chance.getrandbits(68):017x}"
        value = (
            _template(kind)
            .replace(_USER.encode(), user.encode())
            .replace(_SESSION.encode(), f"sess_{event_id[4:]}".encode())
            .replace(b"%d" % _AT, b"%d" % at)
            .replace(b"%d" % _SINCE, b"%d" % (CREATED_MS + n * 1000))
            .replace(b"%d" % _SEATS, b"%d" % number)
            .replace(_EMAIL, b"nadia.quill.%d@example.com" % n)
        )
        headers = EventHeaders(
            event_id=event_id,
            event_type=kind,
            source="ins_37ZqG4EnXOsHeVUiC964dWgaVbC",
            occurred_at=datetime.fromtimestamp(at / 1000, tz=UTC),
            subject=user,
            request_id=event_id[4:],
        )
        yield Made(event_id, user, value, write_event_headers(headers))


async def publish_events(
    producer: AIOKafkaProducer, count: int, *, users: int, seed: int = 1
) -> None:
    """Put so many on Kafka, each on its user's partition."""
    partitions = sorted(await producer.partitions_for(USER_EVENTS.name))
    waiting: dict[int, list[Made]] = {partition: [] for partition in partitions}
    for made in make_events(count, users=users, seed=seed):
        partition = choose_partition(made.user_id.encode(), len(partitions))
        waiting[partition].append(made)
        if len(waiting[partition]) == PER_BATCH:
            await _send(producer, partition, waiting[partition])
    for partition, rest in waiting.items():
        await _send(producer, partition, rest)
    await producer.flush()


async def _send(producer: AIOKafkaProducer, partition: int, events: list[Made]) -> None:
    batch = producer.create_batch()
    for made in events:
        fits = batch.append(
            key=made.user_id.encode(), value=made.value, timestamp=None, headers=made.headers
        )
        assert fits, "a batch takes them all"
    if events:
        await producer.send_batch(batch, USER_EVENTS.name, partition=partition)
    events.clear()
