"""Publish changes: each batch in one Kafka transaction, so that its readers get all or nothing.

Every relay has the same transactional id. Whoever starts a producer with it ends what another
one had begun, and the other one can write nothing any more: Kafka refuses the older epoch.
https://kafka.apache.org/documentation/#producerconfigs_transactional.id
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import aiokafka.producer.sender
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed

from schema.kafka.changes import SOURCE, name_schema
from schema.kafka.headers import ChangeHeaders, write_change_headers
from schema.kafka.partition import choose_partition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from aiokafka.producer.message_accumulator import BatchBuilder

    from workers.relay.fetch import Change

    Build = Callable[[AIOKafkaProducer], "Publisher"]

TRANSACTIONAL_ID: Final = "clerkwork-relay"

TRANSACTION_TIMEOUT_MS: Final = 10_000
"""Kafka ends a transaction that takes longer, as it does for a relay that is frozen."""

PUBLISH_TIMEOUT_S: Final = 8.0
"""A batch that takes longer is given up; less than what ends the session in PostgreSQL."""

MAX_BATCH_BYTES: Final = 512 * 1024
"""What goes to a partition at once; a broker takes twice as much unless told otherwise."""

ASK_AGAIN_S: Final = 0.002
"""Kafka takes about so long to write the markers of one transaction, and refuses the next until
then; aiokafka would ask again after 20 ms, which was the larger part of most batches."""

_STOP_TIMEOUT_S: Final = 2.0


class Publisher:
    """Puts batches of changes on their topics, one after the other."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partition = lru_cache(maxsize=20_000)(choose_partition)

    async def list_partitions(self, topic: str) -> tuple[int, ...]:
        """Return the partitions of a topic. Raises KafkaError when Kafka does not know it."""
        return tuple(sorted(await self._producer.partitions_for(topic)))

    async def publish(self, changes: Sequence[Change], *, sent: asyncio.Event) -> None:
        """Return when all of them are committed, whatever happens to us.

        `sent` is set when Kafka has them and they are about to be committed.
        Readers of committed records have them moments later, one partition after the other: Kafka
        answers before it has written its markers.

        Raises KafkaError otherwise, ProducerFenced where another relay has begun: then nobody has
        any of them, or all are there, and the producer is of no more use.
        """
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await self._producer.begin_transaction()
                await self._send(changes)
                sent.set()
                await self._producer.commit_transaction()
        except TimeoutError:
            raise KafkaTimeoutError from None

    async def _send(self, changes: Sequence[Change]) -> None:
        deliveries = []
        for (topic, partition), batches in (await self._pack(changes)).items():
            for batch in batches:
                # One after the other: sends side by side may overtake each other.
                delivery = await self._producer.send_batch(batch, topic, partition=partition)
                deliveries.append(delivery)
        # Not one is left alone with its exception, and a commit would not look at them.
        results = await asyncio.gather(*deliveries, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _pack(self, changes: Sequence[Change]) -> Mapping[tuple[str, int], Sequence[Any]]:
        """Return the records by topic and partition, in batches, in the order of the changes."""
        packed: dict[tuple[str, int], list[BatchBuilder]] = {}
        topics = {change.topic for change in changes}
        partitions = {topic: len(await self.list_partitions(topic)) for topic in topics}
        schemas = {topic: name_schema(topic) for topic in topics}
        for change in changes:
            key = change.key.encode()
            place = change.topic, self._partition(key, partitions[change.topic])
            batches = packed.setdefault(place, [])
            record: dict[str, Any] = {
                "timestamp": None,
                "key": key,
                "value": None if change.state is None else change.state.encode(),
                "headers": _headers(change, schemas[change.topic]),
            }
            if not (batches and batches[-1].append(**record)):
                batches.append(self._producer.create_batch())
                batches[-1].append(**record)  # the first is taken, whatever its size
        return packed


def ask_again_soon() -> None:
    """Have this process's producers wait ASK_AGAIN_S for the markers of the transaction before."""
    aiokafka.producer.sender.BACKOFF_OVERRIDE = ASK_AGAIN_S


@contextlib.asynccontextmanager
async def publishing(
    connection: Mapping[str, Any], build: Build = Publisher
) -> AsyncIterator[Publisher]:
    """Have the only producer that can publish changes, while the context lasts.

    Once it is entered, what another one had begun is ended, and it can begin nothing new. Raises
    KafkaError when Kafka is not there; the caller limits the time that it takes.
    """
    ask_again_soon()
    producer = AIOKafkaProducer(
        **connection,
        client_id="clerkwork-relay",
        transactional_id=TRANSACTIONAL_ID,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        acks="all",
        linger_ms=0,
        max_batch_size=MAX_BATCH_BYTES,
        request_timeout_ms=int(PUBLISH_TIMEOUT_S * 1000),
    )
    try:
        await producer.start()
        yield build(producer)
    finally:
        await _let_go(producer)


async def _let_go(producer: AIOKafkaProducer) -> None:
    """Close a producer, whatever state it is in; what it has not committed is not to be sent.

    Left to itself, aiokafka waits for as long as it takes to deliver everything.
    """
    accumulator = producer._message_accumulator  # noqa: SLF001  # see above
    accumulator.fail_all(ProducerClosed())
    waiters = [
        batch._drain_waiter  # noqa: SLF001  # the same
        for batches in accumulator._batches.values()  # noqa: SLF001  # the same
        for batch in batches
    ]
    manager: Any = producer._txn_manager  # noqa: SLF001  # the same
    waiters.append(manager.wait_for_transaction_end())
    for waiter in waiters:
        if waiter and waiter.done():
            waiter.exception()  # or asyncio would log that nobody has looked at it
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await producer.stop()
    except (KafkaError, TimeoutError):
        await producer.client.close()


def _headers(change: Change, schema: str) -> list[tuple[str, bytes]]:
    return write_change_headers(
        ChangeHeaders(
            position=change.position,
            change_type=change.type,
            source=SOURCE,
            subject=change.key,
            schema=None if change.state is None else schema,
            traceparent=change.traceparent,
        )
    )
