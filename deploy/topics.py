"""Bring a cluster's topics to the declared state, or show what differs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from deploy.errors import OperatorError
from schema.kafka.topics import TOPICS, Topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

BROKER_DEFAULT: Final = -1
"""Replication is the cluster's business: its default.replication.factor decides."""

VISIBLE_WITHIN_S: Final = 10.0
"""How long a change may stay unseen before it counts as not made."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A topic that is not as declared."""

    topic: Topic
    setting: str
    """`topic` when it is missing, `partitions`, or the name of a configuration."""
    found: str | None
    declared: str


class TopicError(OperatorError):
    """Kafka refused to create or change a topic; the message says which and why."""


@contextlib.asynccontextmanager
async def connected_admin(connection: Mapping[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect while the context lasts. Raises aiokafka's KafkaError when nobody answers."""
    admin = AIOKafkaAdminClient(**connection, client_id="clerkwork-topics")
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def diff_topics(admin: AIOKafkaAdminClient) -> list[Difference]:
    """Return what differs from the declaration; topics that are not declared are left alone."""
    present = set(await admin.list_topics())
    missing = [
        Difference(topic=topic, setting="topic", found=None, declared="present")
        for topic in TOPICS
        if topic.name not in present
    ]
    there = [topic for topic in TOPICS if topic.name in present]
    return [*missing, *await _diff_partitions(admin, there), *await _diff_config(admin, there)]


async def apply_topics(admin: AIOKafkaAdminClient) -> list[Difference]:
    """Create what is missing and correct configurations; return what still differs.

    Partition counts are never changed: keys would move to other partitions. Raises TopicError.
    """
    differences = await diff_topics(admin)
    missing = [each.topic for each in differences if each.setting == "topic"]
    if missing:
        await _create(admin, missing)
    wrong = {
        each.topic.name: each.topic
        for each in differences
        if each.setting not in ("topic", "partitions")
    }
    if wrong:
        await admin.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(topic.config))
                for name, topic in wrong.items()
            ]
        )
    return await _settle(admin)


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    answer: Any = await admin.create_topics(
        [
            NewTopic(
                topic.name,
                num_partitions=topic.partitions,
                replication_factor=BROKER_DEFAULT,
                replica_assignments={},  # aiokafka takes -1 for "assigned by hand"
                topic_configs=dict(topic.config),
            )
            for topic in topics
        ]
    )
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        # Somebody else may have created it since it was found missing: that is as good.
        if code and error.__name__ != "TopicAlreadyExistsError":
            raise TopicError(f"{name}: {error.__name__}")


@retry(
    retry=retry_if_result(lambda found: any(each.setting != "partitions" for each in found)),
    stop=stop_after_delay(VISIBLE_WITHIN_S),
    wait=wait_fixed(0.1),
    retry_error_callback=lambda state: state.outcome and state.outcome.result(),
)
async def _settle(admin: AIOKafkaAdminClient) -> list[Difference]:
    """Return what differs once changes are seen: brokers learn of them after the controller."""
    return await diff_topics(admin)


async def _diff_partitions(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[Difference]:
    if not topics:
        return []
    described = await admin.describe_topics([topic.name for topic in topics])
    found = {each["topic"]: len(each["partitions"]) for each in described}
    return [
        Difference(
            topic=topic,
            setting="partitions",
            found=str(found[topic.name]),
            declared=str(topic.partitions),
        )
        for topic in topics
        if found[topic.name] != topic.partitions
    ]


async def _diff_config(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[Difference]:
    if not topics:
        return []
    answers: list[Any] = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    )
    found = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    return [
        Difference(topic=topic, setting=name, found=found[topic.name].get(name), declared=value)
        for topic in topics
        for name, value in topic.config.items()
        if found[topic.name].get(name) != value
    ]
