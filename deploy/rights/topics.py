"""What each process may do in Kafka: as which user it comes is the operator's to say.

That is all it does, and whoever has these rights can do its work. Whoever may read or write a
topic may describe it too, and a producer that writes needs nothing more to be idempotent (KIP-679).
https://kafka.apache.org/documentation/#security_authz
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.groups import READS
from schema.kafka.topics import (
    CHANGES,
    CLERK_EVENTS,
    DEAD_LETTER_TOPICS,
    GROUP,
    RETRY_DELAYS,
    SOURCES,
    TOPICS,
    UNREADABLE,
    USER_CHANGES,
    USER_COMMANDS,
    USER_EVENTS,
    dead_letter_topic,
    retry_topic,
)
from workers.relay.publish import TRANSACTIONAL_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schema.kafka.topics import Topic

CLUSTER: Final = "kafka-cluster"
"""What Kafka calls itself."""


@dataclass(frozen=True, kw_only=True, order=True)
class Right:
    """Something that a process does."""

    operation: str
    kind: str
    """`topic`, `group`, `transactional-id` or `cluster`."""
    name: str


def _topics(operation: str, topics: Iterable[Topic]) -> set[Right]:
    return {Right(operation=operation, kind="topic", name=topic.name) for topic in topics}


def _groups(operation: str, groups: Iterable[str]) -> set[Right]:
    return {Right(operation=operation, kind="group", name=name) for name in groups}


_RETRIES: Final = [retry_topic(source, tier) for source in SOURCES for tier in RETRY_DELAYS]

_LETTERS: Final = (
    _topics("Read", [*SOURCES, *DEAD_LETTER_TOPICS])
    | _topics("Write", SOURCES)
    | _groups("Describe", [GROUP])
)
"""To look at dead letters and at what came before them, and to send them on their way again."""

NEEDS: Final[Mapping[str, set[Right]]] = {
    "ingest": _topics("Write", [*CLERK_EVENTS, USER_COMMANDS, UNREADABLE]),
    "worker": _topics("Read", [*SOURCES, *_RETRIES, *DEAD_LETTER_TOPICS])
    | _topics("Write", [*_RETRIES, *map(dead_letter_topic, SOURCES)])
    | _groups("Read", READS),
    "relay": _topics("Write", CHANGES)
    | _topics("Read", CHANGES)
    | {Right(operation="Write", kind="transactional-id", name=TRANSACTIONAL_ID)},
    # With CLERK_SECRET_KEY only: without one the API does not come near Kafka.
    "api": _topics("Write", [USER_EVENTS]),
    "canary": _topics("Read", [USER_CHANGES]),
    "desk": _LETTERS,
    # Beside dead letters: backfill and reconcile publish what Clerk has, the doctor looks around.
    "operator": _LETTERS
    | _topics("DescribeConfigs", TOPICS)
    | _topics("Describe", TOPICS)
    | _groups("Describe", READS)
    | {Right(operation="Describe", kind="cluster", name=CLUSTER)},
    # `clerkwork topics apply`, which seldom runs.
    "topics": {
        right
        for operation in ("Create", "Describe", "AlterConfigs")
        for right in _topics(operation, TOPICS)
    },
    # Other services that follow what changed; each has a consumer group of its own besides.
    "reader": _topics("Read", CHANGES),
}
"""Process -> all that it does in Kafka."""

SERVICES: Final = ("ingest", "api", "canary", "worker", "relay")
"""The processes that may be asked about, by reading and writing alone."""
