"""Replay dead letters: back to the topics they come from, marked as replayed once stored there.

A crash leaves letters that are taken and not marked; `resume` deals with those. Some of them may
have been stored already: they are then replayed twice, which changes nothing where they are
applied.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from deploy.errors import OperatorError
from deploy.letters.fetch import fetch_letters
from deploy.letters.operate import finish, next_letters, settle
from schema.kafka.letters import read_letter, write_replay_headers
from schema.kafka.producer import BrokerUnavailableError, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiokafka import ConsumerRecord

    from deploy.letters.desk import Desk
    from deploy.letters.operate import Operation
    from deploy.letters.select import Place
    from schema.kafka.producer import Producer

BATCH_SIZE: Final = 500
"""Letters that are read, sent and marked together, at most; with a rate, those of a second."""

AT_ONCE: Final = 64
"""Keys whose letters are under way at the same time."""


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What became of the letters of an operation."""

    replayed: int
    gone: int
    """Kafka did not have any more: marked as purged."""


@dataclass(kw_only=True)
class Pace:
    """Lets so many pass each second, all of them without a rate."""

    per_second: float | None = None
    _next: float = field(default=0.0)

    @property
    def batch_size(self) -> int:
        """How many letters are dealt with together: what is marked is not sent again."""
        return max(1, min(BATCH_SIZE, int(self.per_second or BATCH_SIZE)))

    async def wait(self) -> None:
        """Return when it is this one's turn."""
        if not self.per_second:
            return
        now = asyncio.get_running_loop().time()
        turn = max(self._next, now)
        self._next = turn + 1 / self.per_second
        await asyncio.sleep(turn - now)


async def carry_out(
    desk: Desk, operation: Operation, *, pace: Pace, advance: Callable[[int], None]
) -> Replayed:
    """Replay the letters that an operation has taken and not yet dealt with, and finish it.

    The letters of a key go one after the other, the oldest first. Raises OperatorError when
    Kafka does not take one: what is stored until then is marked, the rest is for `resume`.
    """
    replayed = gone = 0
    while places := await next_letters(desk.connection, operation, most=pace.batch_size):
        records = await fetch_letters(desk.consumer, places)
        lost = [place for place in places if place not in records]
        gone += await settle(desk.connection, operation, places=lost, state="purged")
        stored: list[Place] = []
        try:
            there = {place: records[place] for place in places if place in records}
            await _send(desk.producer, there, pace=pace, stored=stored)
        finally:  # also when it is interrupted: what is marked is not sent again
            replayed += await settle(desk.connection, operation, places=stored, state="replayed")
        advance(len(places))
    await finish(desk.connection, operation)
    return Replayed(replayed=replayed, gone=gone)


def write_replay(record: ConsumerRecord[Any, Any]) -> Record:
    """Return the record that replays a letter: to its first topic, with its key and value."""
    topic = read_letter(record.headers).source_topic
    if topic is None:  # selected by the index, which was written from the same headers
        raise OperatorError(
            f"The letter at {record.topic}/{record.partition}/{record.offset} has lost its origin."
        )
    return Record(
        topic=topic,
        key=record.key,
        value=record.value,
        headers=write_replay_headers(record.headers, edited=False),
    )


async def _send(
    producer: Producer,
    letters: Mapping[Place, ConsumerRecord[Any, Any]],
    *,
    pace: Pace,
    stored: list[Place],
) -> None:
    """Send letters, and add each to `stored` once Kafka has it. Raises OperatorError."""
    slots = asyncio.Semaphore(AT_ONCE)
    refused = asyncio.Event()

    async def send_in_order(chain: Sequence[Place]) -> None:
        async with slots:
            for place in chain:
                await pace.wait()
                if refused.is_set():
                    return
                try:
                    await producer.send(write_replay(letters[place]))
                except BrokerUnavailableError:
                    refused.set()
                    return
                stored.append(place)

    chains: dict[object, list[Place]] = defaultdict(list)
    for place, record in letters.items():
        chains[place if record.key is None else record.key].append(place)
    async with asyncio.TaskGroup() as group:
        for chain in chains.values():
            group.create_task(send_in_order(chain))
    if refused.is_set():
        raise OperatorError(
            "Kafka does not take the letters. What it took is marked as replayed; go on with"
            " clerkwork dlq replay --resume."
        )
