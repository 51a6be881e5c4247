"""Events of users who are there already: three snapshots that change them, then a sign-in.

As large as Clerk's, with the headers that ingest writes; every one is news, so that each is told.
Some are forged, and the others are these once more with another time, which is in their ids too:
to have a million of them takes less than to apply some thousand.
"""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from functools import cache, partial
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.partition import choose_partition
from schema.kafka.topics import USER_EVENTS
from tests.bench.fill import clerk_id
from tests.factories import CREATED_MS, make_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import AIOKafkaProducer

    from schema.kafka.headers import RawHeaders

SIGN_IN_EVERY: Final = 4
FORGED: Final = 100_000
"""At most; who wants more has them again."""
PER_BATCH: Final = 200
_USER: Final = "user_@"
_SESSION: Final = "sess_@"
_SINCE: Final = 3_333_333_333_333
_EMAIL: Final = b"nadia.quill@example.com"
FORGED_AT: Final = 1_111_111_111_111
"""When all of those happen; no other number of theirs is this one."""
_STAMP: Final = b"%d" % FORGED_AT
_TIME: Final = datetime.fromtimestamp(FORGED_AT / 1000, tz=UTC)
_STAMPED: Final = frozenset({"ce_id", "ce_time", "x-request-id"})


class Made(NamedTuple):
    """An event as it is to be published."""

    event_id: str
    user_id: str
    value: bytes
    headers: RawHeaders


def make_events(count: int, *, users: int, seed: int) -> Iterator[Made]:
    """Make events of users by chance, each a millisecond after the one before."""
    begun = int(time.time() * 1000) - count
    forged = list(forge(min(count, FORGED), users=users, seed=seed))
    for at, each in enumerate(islice(cycle(forged), count), start=begun):
        yield stamp(each, at=at)


def forge(count: int, *, users: int, seed: int) -> Iterator[Made]:
    """Make events of one moment that never was, users by chance."""
    chance = random.Random(seed)  # noqa: S311  # nobody has to guess it
    for number in range(1, count + 1):
        kind = "user.updated" if number % SIGN_IN_EVERY else "session.created"
        n = chance.randrange(users)
        user, event_id = clerk_id("user", n), f"msg_{FORGED_AT}{chance.getrandbits(56):014x}"
        headers = EventHeaders(
            event_id=event_id,
            event_type=kind,
            source="ins_37ZqG4EnXOsHeVUiC964dWgaVbC",
            occurred_at=_TIME,
            subject=user,
            request_id=event_id[4:],
        )
        value = (
            _template(kind)
            .replace(_USER.encode(), user.encode())
            .replace(_SESSION.encode(), f"sess_{event_id[4:]}".encode())
            .replace(b"%d" % _SINCE, b"%d" % (CREATED_MS + n * 1000))
            .replace(_EMAIL, b"nadia.quill.%d@example.com" % n)
        )
        yield Made(event_id, user, value, write_event_headers(headers))


def stamp(forged: Made, *, at: int) -> Made:
    """Have an event happen at that time, in milliseconds since 1970; its ids are others then."""
    new = b"%d" % at
    time_of = datetime.fromtimestamp(at / 1000, tz=UTC).isoformat("T", "milliseconds")[:23]
    headers = [
        (name, f"{time_of}Z".encode() if name == "ce_time" else value.replace(_STAMP, new))
        if name in _STAMPED
        else (name, value)
        for name, value in forged.headers
    ]
    event_id = forged.event_id.replace(str(FORGED_AT), str(at))
    return Made(event_id, forged.user_id, forged.value.replace(_STAMP, new), headers)


@cache
def _template(kind: str) -> bytes:
    # Seats are the time: they are others in each event.
    metadata = {"plan": "team", "seats": FORGED_AT}
    changed: dict[str, Any] = {"created_at": _SINCE, "updated_at": FORGED_AT}
    body = make_body("user.created", id=_USER, public_metadata=metadata, **changed)
    user = json.loads(body)["data"]
    if kind == "session.created":
        times: dict[str, Any] = dict.fromkeys(
            ("created_at", "updated_at", "last_active_at"), FORGED_AT
        )
        return make_body(kind, timestamp=FORGED_AT, id=_SESSION, user_id=_USER, user=user, **times)
    body = make_body("user.created", timestamp=FORGED_AT, **user)
    return body.replace(b'"user.created"', b'"user.updated"')


async def publish_events(
    producer: AIOKafkaProducer, count: int, *, users: int, seed: int = 1
) -> None:
    """Put so many on Kafka, each on its user's partition."""
    partitions = sorted(await producer.partitions_for(USER_EVENTS.name))
    waiting: dict[int, list[Made]] = {partition: [] for partition in partitions}
    choose = cache(partial(choose_partition, partitions=len(partitions)))
    for made in make_events(count, users=users, seed=seed):
        partition = choose(made.user_id.encode())
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
