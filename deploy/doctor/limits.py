"""What topics are set to beyond the declaration, and must not be set to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.doctor.patient import kafka_admin
from deploy.doctor.verdict import Verdict, fine, skip, warn, wrong
from ingest.receive import MAX_BODY_BYTES
from schema.kafka.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEADERS_BYTES: Final = 16 * 1024
"""What travels beside a payload is smaller, also where it has failed."""

LARGEST: Final = MAX_BODY_BYTES + HEADERS_BYTES
"""The largest record that ingest writes, in bytes."""

NAMED: Final = 20


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A setting of a topic that is in the way."""

    topic: str
    setting: str
    found: str
    wanted: str
    fatal: bool
    """Whether records are refused for it, rather than removed early or told wrongly."""


async def check_limits() -> Verdict:
    """Look whether topics take our largest records, and keep all until their time."""
    async with kafka_admin() as admin:
        present = set(await admin.list_topics())
        names = [topic.name for topic in TOPICS if topic.name in present]
        if not names:
            return skip("There are no topics of ours.")
        answers: list[Any] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        )
    found = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    return judge_limits(
        [limit for name, each in found.items() for limit in find_limits(name, each)]
    )


def find_limits(topic: str, found: Mapping[str, str]) -> list[Limit]:
    """Return what is in the way; `found` is the topic's configuration."""
    limits: list[Limit] = []
    room = found.get("max.message.bytes", "")
    if room.isdecimal() and int(room) < LARGEST:
        limits.append(_limit(topic, "max.message.bytes", room, str(2 * MAX_BODY_BYTES), fatal=True))
    for setting, wanted in (("retention.bytes", "-1"), ("message.timestamp.type", "CreateTime")):
        value = found.get(setting, wanted)
        if value != wanted:
            limits.append(_limit(topic, setting, value, wanted, fatal=False))
    return limits


def _limit(topic: str, setting: str, found: str, wanted: str, *, fatal: bool) -> Limit:
    return Limit(topic=topic, setting=setting, found=found, wanted=wanted, fatal=fatal)


def judge_limits(limits: Sequence[Limit]) -> Verdict:
    """Return whether something is in the way."""
    if not limits:
        return fine(f"records up to {LARGEST // 1024} KiB fit, none goes before its time")
    told = ", ".join(f"{each.topic}: {each.setting} is {each.found}" for each in limits[:NAMED])
    first = limits[0]
    fix = (
        'kafka-configs.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --alter --topic'
        f" {first.topic} --add-config {first.setting}={first.wanted}"
    )
    return (wrong if any(each.fatal for each in limits) else warn)(f"{told}.", fix)
