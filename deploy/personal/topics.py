"""What the records of each topic hold of people: key, value and every header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from schema.kafka.topics import CHANGES, TOPICS, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schema.kafka.topics import Topic

Kind = Literal["identifier", "neither"]

HEADERS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("ce_id", "ce_subject", "x-request-id", "traceparent"), "identifier"),
    **dict.fromkeys(
        (
            *("ce_specversion", "ce_type", "ce_source", "ce_time", "ce_sequence", "ce_dataschema"),
            *("content-type", "x-redacted", "x-replay-count", "x-edited"),
            *("x-error-class", "x-error-code", "x-error-message", "x-attempt", "x-retry-at"),
            *("x-original-topic", "x-original-partition", "x-original-offset"),
            *("x-original-timestamp", "x-consumer-group", "x-first-failed-at"),
            "x-clerkwork-version",
            *("__connect.errors.exception.class.name", "__connect.errors.exception.message"),
            *("__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset"),
        ),
        "neither",
    ),
}
"""Header -> what it is; none is personal."""


def tell_key(topic: Topic) -> str:
    """Return what the keys of a topic are."""
    return f"identifier: {topic.key}"


def tell_value(topic: Topic) -> str:
    """Return what the values of a topic are."""
    if topic in CHANGES:
        return "personal: the state"
    if topic is UNREADABLE:
        return "personal: any body that could not be read"
    return "personal: the whole body" if "command" not in topic.name else "personal: the command"


def tell_end(topic: Topic) -> str:
    """Return what erases the records of a topic, and when."""
    if topic in CHANGES:
        return "null is told at the deletion; compaction forgets the rest within a day of writing"
    return f"retention, after {topic.retention_days} days and a file's age; `clerkwork erase --now`"


def tell_readers(topic: Topic) -> str:
    """Return who reads a topic."""
    if topic in CHANGES:
        return "other services, the API"
    return "workers, operators" if topic.name.endswith(".dlq") else "workers"


def topic_rows() -> list[tuple[str, str, str, str, str]]:
    """Return a row for each topic, those alike in one."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for topic in TOPICS:
        told = tell_key(topic), tell_value(topic), tell_readers(topic), tell_end(topic)
        rows.setdefault(told, []).append(f"`{topic.name}`")
    return [(", ".join(names), *told) for told, names in rows.items()]
