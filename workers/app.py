"""The composition root of the workers: from settings to a consumer that runs until told to stop.

FastStream ends here: the rest sees records and offsets.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from tenacity import retry, retry_if_exception_type, wait_random_exponential

from schema.kafka.connections import connection_arguments
from schema.kafka.producer import Producer
from schema.kafka.topics import (
    DEAD_LETTER_TOPICS,
    DESK_GROUP,
    GROUP,
    ORG_EVENTS,
    USER_EVENTS,
    Topic,
)
from schema.ops.metrics import WorkerMetrics, new_registry
from schema.postgres.pools import build_pool
from workers.apply import Policy
from workers.commit import REBALANCE_TIMEOUT_MS, CommitOffsets, Control
from workers.consume import Consumer
from workers.count import counting
from workers.index import Indexer
from workers.probe import serving_probes
from workers.security import broker_security

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiokafka import ConsumerRecord
    from faststream.kafka.subscriber.usecase import BatchSubscriber

    from workers.settings import WorkerSettings

log = structlog.get_logger(__name__)

GRACE_S = 25.0
"""How long a stop waits for the batch in flight; give the process longer than that."""

METADATA_MAX_AGE_MS = 30_000
"""How long a topic that is created after the start can stay unnoticed."""


@contextlib.asynccontextmanager
async def running_worker(settings: WorkerSettings) -> AsyncIterator[None]:
    """Consume while the context lasts; at its end finish the batch in flight and close.

    Enters when Kafka is there; PostgreSQL may be away.
    """
    registry = new_registry()
    metrics = WorkerMetrics(registry)
    # One connection each for a batch, letters, a probe and a count: none waits for another.
    pool = build_pool(settings, name="clerkwork-worker", min_size=0, max_size=4)
    producer = Producer(
        connection_arguments(settings), client_id="clerkwork-worker", timeout_s=10.0
    )
    control = Control()
    policy = Policy(
        erase_after=settings.clerkwork_erase_after, history_limit=settings.worker_history_limit
    )
    consumer = Consumer(
        pool=pool, producer=producer, control=control, metrics=metrics, policy=policy
    )
    broker, subscriber = _build_broker(
        settings, consumer=consumer, topics=(USER_EVENTS, ORG_EVENTS), group=GROUP
    )
    control.find_consumer = lambda: subscriber.consumer
    indexer = Indexer(pool=pool, control=Control(), metrics=metrics)
    desk, letters = _build_broker(
        settings, consumer=indexer, topics=DEAD_LETTER_TOPICS, group=DESK_GROUP
    )
    indexer.control.find_consumer = lambda: letters.consumer
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(pool)
        await stack.enter_async_context(producer.running())
        await stack.enter_async_context(
            serving_probes(settings, registry=registry, consumer=consumer, subscriber=subscriber)
        )
        await stack.enter_async_context(counting(pool, metrics))
        await producer.wait_connected()
        stack.push_async_callback(broker.stop)
        stack.callback(control.stop)
        await _start(broker)
        stack.push_async_callback(desk.stop)
        stack.callback(indexer.control.stop)
        await _start(desk)
        log.info("worker_started", topics=[USER_EVENTS.name, ORG_EVENTS.name], group=GROUP)
        yield


def _build_broker(
    settings: WorkerSettings,
    *,
    consumer: Consumer | Indexer,
    topics: Sequence[Topic],
    group: str,
) -> tuple[KafkaBroker, BatchSubscriber]:
    def commit_offsets(message: Any, /, *, context: Any) -> CommitOffsets:
        return CommitOffsets(
            message, context=context, control=consumer.control, metrics=consumer.metrics
        )

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
        *(topic.name for topic in topics),
        batch=True,
        max_records=settings.worker_batch_size,
        batch_timeout_ms=50,
        group_id=group,
        group_instance_id=settings.worker_instance_id,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.MANUAL,
        no_reply=True,
        listener=consumer.control,
        parser=_parse,
        decoder=_leave_encoded,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        # A batch that waits for PostgreSQL does not poll, for as long as it takes; heartbeats
        # go on. A hung process is for the liveness probe.
        max_poll_interval_ms=2**31 - 1,
    )

    subscriber(consumer.consume)
    return broker, subscriber


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


async def _parse(records: tuple[ConsumerRecord[Any, Any], ...]) -> KafkaMessage:
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
