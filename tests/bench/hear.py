"""Hear what comes out on `user.changes`, at next to no cost: a few of its partitions are enough."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schema.kafka.partition import choose_partition
from schema.kafka.topics import USER_CHANGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiokafka import ConsumerRecord

    Note = Callable[[ConsumerRecord[bytes, bytes]], None]

HEARD: Final = range(3)
"""Partitions that are listened to: whoever measures is not to be the load."""


def is_heard(user_id: str) -> bool:
    """Tell whether changes of this user, by Clerk's id, come out where somebody listens."""
    return choose_partition(user_id.encode(), USER_CHANGES.partitions) in HEARD


@contextlib.asynccontextmanager
async def hearing(bootstrap_servers: str, note: Note) -> AsyncIterator[None]:
    """Call `note` with every committed record in HEARD, from now on, while the context lasts."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        isolation_level="read_committed",
    )

    async def listen() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    note(record)

    places = [TopicPartition(USER_CHANGES.name, number) for number in HEARD]
    async with consumer:
        consumer.assign(places)
        await consumer.seek_to_end(*places)
        for place in places:
            await consumer.position(place)  # it is there, and misses nothing from now on
        listening = asyncio.create_task(listen())
        gc.disable()  # its pauses would be taken for those of what is measured
        try:
            yield
        finally:
            gc.enable()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
