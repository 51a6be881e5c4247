"""Every topic, declared once: name, partitions, retention, what its key and value are.

`clerkwork topics apply` brings a cluster to this state; `topics diff` shows what differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP: Final = "clerkwork.projector"
"""The consumer group of the workers that apply events to PostgreSQL."""

DESK_GROUP: Final = "clerkwork.desk"
"""The consumer group of the workers that keep the index of dead letters."""

_DAY_MS: Final = 24 * 60 * 60 * 1000


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic and what its readers may rely on."""

    name: str
    partitions: int
    key: str
    """What the record key is, in words."""
    value: str
    """What the record value is, in words."""
    retention_days: int | None
    """None: compacted, the latest record of every key is kept for ever."""

    @property
    def config(self) -> Mapping[str, str]:
        """The topic-level configuration, as Kafka names it."""
        if self.retention_days is None:
            return {
                "cleanup.policy": "compact",
                # Whoever was erased is out of the topic after a day, instead of some time;
                # the tombstone stays for those consumers who were away.
                "max.compaction.lag.ms": str(_DAY_MS),
                "delete.retention.ms": str(30 * _DAY_MS),
            }
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_days * _DAY_MS),
        }


USER_EVENTS: Final = Topic(
    name="clerk.user-events",
    partitions=12,
    key="clerk user id",
    value="the verified body, byte for byte, or what was looked up at Clerk",
    retention_days=14,
)
ORG_EVENTS: Final = Topic(
    name="clerk.org-events",
    partitions=6,
    key="clerk organization id, else data.id",
    value="the verified body, byte for byte, or what was looked up at Clerk",
    retention_days=14,
)
USER_COMMANDS: Final = Topic(
    name="app.user-commands",
    partitions=12,
    key="clerk user id",
    value="command, JSON",
    retention_days=14,
)
UNREADABLE: Final = Topic(
    name="clerk.unreadable.dlq",
    partitions=3,
    key="svix-id",
    value="a verified body that could not be read, byte for byte",
    retention_days=90,
)
USER_CHANGES: Final = Topic(
    name="user.changes",
    partitions=12,
    key="clerk user id",
    value="the user's current state, JSON; null after erasure",
    retention_days=None,
)
POST_CHANGES: Final = Topic(
    name="post.changes",
    partitions=12,
    key="post id",
    value="the post's current state, JSON; null after erasure",
    retention_days=None,
)

CHANGES: Final = (USER_CHANGES, POST_CHANGES)
"""Where the relay puts what has changed; others take it from there."""

CLERK_EVENTS: Final = (USER_EVENTS, ORG_EVENTS)
"""Where ingest puts Clerk's events, and workers take them from."""

SOURCES: Final = (*CLERK_EVENTS, USER_COMMANDS)
"""The topics that workers consume; each has its retry topics and its dead-letter topic."""

RETRY_DELAYS: Final[Mapping[str, int]] = {"10s": 10, "1m": 60, "10m": 600}
"""Tier -> for how many seconds a record waits there; a record goes through them in this order."""


def retry_topic(source: Topic, delay: str) -> Topic:
    """Return the topic in which records of `source` wait for `delay`."""
    return Topic(
        name=f"{source.name}.retry.{delay}",
        partitions=3,
        key=source.key,
        value=source.value,
        retention_days=14,
    )


def retry_group(delay: str) -> str:
    """Return the consumer group of the workers that wait in the retry topics of one tier."""
    return f"{GROUP}.retry.{delay}"


def dead_letter_topic(source: Topic) -> Topic:
    """Return the topic that keeps what `source` held and nobody could apply."""
    return Topic(
        name=f"{source.name}.dlq",
        partitions=3,
        key=source.key,
        value=source.value,
        retention_days=90,
    )


DEAD_LETTER_TOPICS: Final = (*(dead_letter_topic(source) for source in SOURCES), UNREADABLE)
"""The topics whose records are dead letters."""

TOPICS: Final = (
    *SOURCES,
    *(retry_topic(source, delay) for source in SOURCES for delay in RETRY_DELAYS),
    *DEAD_LETTER_TOPICS,
    *CHANGES,
)
"""Every topic there must be."""
