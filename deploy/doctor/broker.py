"""Kafka's servers: how new they are, what their clock says, and how much room they have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from aiokafka.protocol.admin import ApiVersionRequest

from deploy.doctor.keys import judge_clock
from deploy.doctor.patient import asking
from deploy.doctor.verdict import Verdict, fine, skip, warn, wrong
from deploy.doctor.wire import AskLogDirs, AskQuorum
from schema.kafka.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SIGNS: Final = (
    ("4.1", 1, 18),
    ("4.0", 3, 13),
    ("3.9", 1, 17),
    ("3.7", 1, 16),
    ("3.5", 1, 15),
    ("3.1", 1, 13),
    ("3.0", 2, 7),
    ("2.8", 0, 9),
    ("2.3", 1, 11),
)
"""Version, and the version of which of Kafka's APIs came with it, the newest first."""

TESTED: Final = "4.0"
NEEDED: Final = "2.3"
"""The first with static members and max.compaction.lag.ms."""

LITTLE: Final = 0.15
HARDLY_ANY: Final = 0.05
"""Of a disk: where Kafka can write no more, it stops."""

DESCRIBE: Final = (
    'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --add --operation Describe'
    ' --cluster --allow-principal "User:$KAFKA_SASL_USERNAME"'
)

_ORDER: Final = tuple(version for version, *_ in reversed(SIGNS))


async def check_version() -> Verdict:
    """Look how new Kafka's servers are."""
    async with asking() as (ask, brokers):
        found = [find_version(await _versions(ask, broker)) for broker in brokers]
    return judge_version(min(found, key=_rank))


async def _versions(ask: Any, broker: int) -> Mapping[int, int]:
    answer = await ask(broker, ApiVersionRequest())
    return {key: most for key, _, most in answer.api_versions}


def find_version(most: Mapping[int, int]) -> str | None:
    """Return the newest version whose sign is there; `most` is API -> its newest version."""
    return next((version for version, key, of in SIGNS if most.get(key, -1) >= of), None)


def _rank(version: str | None) -> int:
    return _ORDER.index(version) if version else -1


def judge_version(version: str | None) -> Verdict:
    """Return whether the oldest server is new enough."""
    if version is None:
        return wrong(
            f"Kafka is older than {NEEDED}.", f"Take Kafka {TESTED} or newer: all tests run on it."
        )
    told = f"Kafka {version} or newer"
    if _rank(version) < _rank(TESTED):
        return warn(f"{told}, older than {TESTED}.", f"Take Kafka {TESTED} or newer: it is tested.")
    return fine(told)


async def check_kafka_clock() -> Verdict:
    """Look how far our clock is from Kafka's: the leading controller tells its own."""
    async with asking() as (ask, brokers):
        before_s = time.time()
        answer = await ask(brokers[0], AskQuorum())
        now_s = (before_s + time.time()) / 2
    at_ms = find_clock(answer.topics)
    if answer.error_code or at_ms < 0:
        return skip(
            f"Kafka does not tell its clock (error {answer.error_code}).",
            DESCRIBE,
        )
    return judge_clock(now_s - at_ms / 1000, of="Kafka's")


async def check_disks() -> Verdict:
    """Look how much room Kafka's log directories have, and what of it is ours."""
    partitions = {topic.name: topic.partitions for topic in TOPICS}
    async with asking() as (ask, brokers):
        answers = [await ask(broker, AskLogDirs(partitions)) for broker in brokers]
    found = [each for answer in answers for each in answer.directories]
    if not found:
        return skip(
            "Kafka does not tell of its log directories.",
            DESCRIBE,
        )
    ours, failed, free = 0, 0, list[float]()
    for code, _, topics, total, usable, _ in found:
        failed += bool(code)
        free += [usable / total] if total > 0 else []
        ours += sum(size for _, places, _ in topics for _, size, *_ in places)
    return judge_disks(free, ours=ours, failed=failed)


def find_clock(topics: Any) -> int:
    """Return what the leader says when it has heard of itself: now, in milliseconds; -1 if not."""
    for _, partitions, _ in topics:
        for _, _, leader, _, _, voters, *_ in partitions:
            heard_ms = {voter[0]: int(voter[2]) for voter in voters}
            if leader in heard_ms:
                return heard_ms[leader]
    return -1


def judge_disks(free: Sequence[float], *, ours: int, failed: int) -> Verdict:
    """Return whether there is room; `free` has the share of each disk, `ours` the bytes of ours."""
    if failed:
        return wrong(
            f"{failed} of Kafka's log directories cannot be used.", "See the log of the broker."
        )
    told = f"our topics take {ours / 1e6:.1f} MB"
    if not free:
        return skip(f"{told}; what is free is not told.")
    told = f"{told}, {min(free):.0%} of the fullest disk is free"
    fix = "Give the brokers more room: kafka-log-dirs.sh --describe tells what takes it."
    if min(free) < HARDLY_ANY:
        return wrong(f"{told}.", fix)
    return warn(f"{told}.", fix) if min(free) < LITTLE else fine(told)
