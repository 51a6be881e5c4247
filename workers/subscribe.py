"""Subscribe a step to topics: FastStream ends here, the rest sees records and offsets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from tenacity import retry, retry_if_exception_type, wait_random_exponential

from workers.commit import REBALANCE_TIMEOUT_MS, CommitOffsets, Control
from workers.confirm import Offsets
from workers.security import broker_security

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord
    from faststream.kafka.subscriber.usecase import BatchSubscriber

    from schema.kafka.topics import Topic
    from schema.ops.metrics import WorkerMetrics
    from workers.measure import Meter
    from workers.settings import WorkerSettings

    Record = ConsumerRecord[Any, Any]
    Step = Callable[[Sequence[Record]], Awaitable[None]]

log = structlog.get_logger(__name__)

GRACE_S: Final = 25.0
"""How long a stop waits for the batch in flight; give the process longer than that."""

FETCH_WAIT_MS: Final = 1000
"""How long a call waits for records where there are none; it returns with the first."""

HEARTBEAT_MS: Final = 500
"""How late a member may hear that another one comes or goes; partitions of who left wait for it.

Kafka's clients take 3 s, with which a worker that is ended in order costs its partitions up to 3 s.
"""

METADATA_MAX_AGE_MS: Final = 30_000
"""How long a topic that is created after the start can stay unnoticed."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """What is read, by whom."""

    topics: Sequence[Topic]
    step: Step
    """Takes each batch; the offsets are committed after it has returned."""
    control: Control
    """Knows the consumer group that shares the partitions."""
    batches: int = 1
    """How many batches are handed over at once, where there are so many records."""
    meter: Meter | None = None
    """Measures the loop."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A consumer that hands batches to a step, one after the other, and commits their offsets."""

    broker: KafkaBroker
    subscriber: BatchSubscriber
    control: Control

    @property
    def ended(self) -> bool:
        """Whether its loop has ended without being told to."""
        return self.subscriber.running and any(task.done() for task in self.subscriber.tasks)

    async def start(self) -> None:
        """Begin to consume; waits for Kafka as long as it takes."""
        await _start(self.broker)

    async def stop(self) -> None:
        """End waits, finish the batch in flight, commit its offsets, and leave the group."""
        self.control.stop()
        await self.broker.stop()


def subscribe(settings: WorkerSettings, feed: Feed, *, metrics: WorkerMetrics) -> Subscription:
    """Return a subscription that is not started yet."""

    def commit_offsets(message: Any, /, *, context: Any) -> CommitOffsets:
        return CommitOffsets(message, context=context, control=feed.control, metrics=metrics)

    broker = KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        security=broker_security(settings),
        client_id="clerkwork-worker",
        consumer_only=True,
        allow_auto_create_topics=False,
        metadata_max_age_ms=METADATA_MAX_AGE_MS,
        graceful_timeout=GRACE_S,
        middlewares=(commit_offsets,),
        logger=None,
        apply_types=False,
    )
    subscriber = broker.subscriber(
        *(topic.name for topic in feed.topics),
        batch=True,
        group_id=feed.control.group,
        group_instance_id=settings.worker_instance_id,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        listener=feed.control,
        parser=_parse,
        decoder=_leave_encoded,
        heartbeat_interval_ms=HEARTBEAT_MS,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        # A batch that waits for PostgreSQL does not poll, for as long as it takes; heartbeats
        # go on. A hung process is for the liveness probe.
        max_poll_interval_ms=2**31 - 1,
    )

    subscriber(feed.meter.around(feed.step) if feed.meter else feed.step)
    # FastStream's own sleeps as long again after a call that found nothing: up to 50 ms for the
    # first event after a silence.
    most = settings.worker_batch_size * feed.batches
    subscriber.get_msg = partial(_fetch, feed, most)  # type: ignore[method-assign]  # it has no hook
    feed.control.find_consumer = lambda: subscriber.consumer
    # A stop waits for who holds FastStream's lock, as each batch does, before the consumer goes.
    feed.control.offsets = Offsets(
        control=feed.control, metrics=metrics, hold=lambda: subscriber.lock
    )
    return Subscription(broker=broker, subscriber=subscriber, control=feed.control)


@retry(
    retry=retry_if_exception_type((KafkaError, OSError)),
    wait=wait_random_exponential(multiplier=0.2, max=5),
)
async def _start(broker: KafkaBroker) -> None:
    try:
        await broker.start()
    except (KafkaError, OSError) as error:
        log.warning("kafka_unreachable", error=type(error).__name__)
        await broker.stop()
        raise


async def _fetch(feed: Feed, most: int, consumer: AIOKafkaConsumer) -> tuple[Record, ...]:
    """Return the records that are there, `most` at most, or wait for the first."""
    feed.control.progress.turn()
    if feed.meter:
        feed.meter.fetch()
    found = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=most)
    if feed.meter:
        feed.meter.take(found)
    return tuple(chain.from_iterable(found.values()))


async def _parse(records: tuple[Record, ...]) -> KafkaMessage:
    """Wrap a batch without looking at it: FastStream's own parser stumbles over a null header."""
    first = records[0]
    return KafkaMessage(
        body=b"",
        raw_message=records,
        consumer=FAKE_CONSUMER,
        message_id=f"{first.topic}-{first.partition}-{first.offset}",
        correlation_id="",
    )


async def _leave_encoded(message: KafkaMessage) -> Any:
    """Hand on the records as they are: each is decoded on its own, so that a bad one is alone."""
    return message.raw_message
