"""What spans say of records: where they are and which event they are, never what is in them.

https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENT_ID: Final = "clerkwork.event_id"
"""The svix-id, or the id of a command."""


def describe_topic(topic: str, operation: str) -> Mapping[str, str]:
    """Return what is known of a record before it has a place; `operation`: send, process."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.type": operation,
    }


def describe_place(partition: int, offset: int) -> Mapping[str, str | int]:
    """Return what is known of a record besides once it has its place."""
    return {"messaging.destination.partition.id": str(partition), "messaging.kafka.offset": offset}
