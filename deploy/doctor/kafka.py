"""Kafka: reached, with the topics as declared, and safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.doctor.patient import AwayError, kafka_admin
from deploy.doctor.verdict import Verdict, fine, skip, warn, wrong
from deploy.topics import diff_topics
from schema.kafka.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.topics import Difference

NAMED: Final = 20
"""How many are named where there are more."""


async def check_kafka() -> Verdict:
    """Look whether Kafka answers."""
    try:
        async with kafka_admin() as admin:
            cluster = await admin.describe_cluster()
    except AwayError as error:
        return wrong(f"{error}.", "Start it, or correct KAFKA_BOOTSTRAP_SERVERS.")
    return judge_brokers(len(cluster["brokers"]))


def judge_brokers(brokers: int) -> Verdict:
    """Return how many brokers there are."""
    return fine(f"{brokers} broker{'s' if brokers != 1 else ''}")


async def check_topics() -> Verdict:
    """Look whether the topics are as declared."""
    async with kafka_admin() as admin:
        return judge_topics(await diff_topics(admin))


def judge_topics(differences: Sequence[Difference]) -> Verdict:
    """Return which topics are missing or differ."""
    missing = [each.topic.name for each in differences if each.setting == "topic"]
    others = [
        f"{each.topic.name}: {each.setting} is {each.found}, not {each.declared}"
        for each in differences
        if each.setting != "topic"
    ]
    if missing:
        return wrong(f"missing: {_some(missing)}.", "Run clerkwork topics apply.")
    if others:
        return warn(
            f"{_some(others)}.",
            "Run clerkwork topics apply; a number of partitions cannot be changed any more.",
        )
    return fine(f"{len(TOPICS)} as declared")


@dataclass(frozen=True, kw_only=True)
class Replication:
    """How safe a partition is."""

    place: str
    replicas: int
    in_sync: int
    least: int
    """min.insync.replicas: with fewer, nothing can be written."""
    led: bool


async def check_replication() -> Verdict:
    """Look whether what is acknowledged survives the loss of a broker."""
    names = [topic.name for topic in TOPICS]
    async with kafka_admin() as admin:
        described = [each for each in await admin.describe_topics(names) if not each["error_code"]]
        answers: list[Any] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, each["topic"]) for each in described]
        )
    least = {
        resource[3]: int(entry[1])
        for answer in answers
        for resource in answer.resources
        for entry in resource[4]
        if entry[0] == "min.insync.replicas"
    }
    return judge_replication(list(_partitions(described, least)))


def _partitions(
    described: Iterable[Mapping[str, Any]], least: Mapping[str, int]
) -> Iterable[Replication]:
    for topic in described:
        for each in topic["partitions"]:
            yield Replication(
                place=f"{topic['topic']}/{each['partition']}",
                replicas=len(each["replicas"]),
                in_sync=len(each["isr"]),
                least=least.get(topic["topic"], 1),
                led=each["leader"] >= 0,
            )


def judge_replication(partitions: Sequence[Replication]) -> Verdict:
    """Return whether all can be written, and survives the loss of one broker."""
    if not partitions:
        return skip("There are no topics of ours.")
    shut = [each.place for each in partitions if not each.led or each.in_sync < each.least]
    if shut:
        return wrong(
            f"{len(shut)} partitions cannot be written: {_some(shut)}.",
            "Bring the missing brokers back; webhooks there are answered 503 until then.",
        )
    replicas, least = (
        min(each.replicas for each in partitions),
        min(each.least for each in partitions),
    )
    told = f"{replicas} replica{'s' if replicas > 1 else ''}, min.insync.replicas {least}"
    if replicas < 2 or least < 2:
        return warn(
            f"{told}: what one broker loses is lost.",
            "In production give the topics three replicas, and min.insync.replicas 2.",
        )
    return fine(told)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
