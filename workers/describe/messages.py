"""Tell what a record of each topic is: key, headers, value, and an example."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from schema.kafka.commands import COMMAND_TYPES
from schema.kafka.snapshots import ABSENCE, SNAPSHOT
from schema.kafka.topics import (
    CLERK_EVENTS,
    ORG_EVENTS,
    RETRY_DELAYS,
    SOURCES,
    UNREADABLE,
    USER_COMMANDS,
    USER_EVENTS,
    Topic,
    dead_letter_topic,
    retry_topic,
)
from workers.describe.commands import COMMAND
from workers.describe.events import EVENT, reference
from workers.describe.examples import event_example, failed_example, unreadable_example

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
"""The media type of what is kept whatever it is."""

SAMPLES: Final[Mapping[Topic, Sequence[str]]] = {
    USER_EVENTS: ["user.created", f"{SNAPSHOT}user", f"{ABSENCE}user"],
    ORG_EVENTS: ["organization.created", f"{SNAPSHOT}organization"],
    USER_COMMANDS: COMMAND_TYPES,
    UNREADABLE: ["user.created"],
}
"""Topic -> the recorded webhooks, the looks at Clerk, or the commands, that show what it holds."""

ANYTHING: Final[Mapping[str, Any]] = {"description": "byte for byte as it came, readable or not"}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One kind of record."""

    topic: Topic
    name: str
    """What it is called among the kinds of its topic."""
    title: str
    headers: str
    """The name of the schema of its headers."""
    payload: Mapping[str, Any]
    """The schema of its value."""
    summary: str | None = None
    content_type: str | None = JSON
    """The media type of the value, None where there is none."""
    key: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "minLength": 1})
    examples: Sequence[Mapping[str, Any]] = ()

    def tell(self) -> dict[str, Any]:
        """Return it as AsyncAPI has it."""
        told = {
            "name": f"{self.topic.name}.{self.name}",
            "title": self.title,
            "summary": self.summary,
            "contentType": self.content_type,
            "headers": reference(self.headers),
            "payload": dict(self.payload),
            "bindings": {
                "kafka": {
                    "key": {**self.key, "description": self.topic.key},
                    "bindingVersion": "0.5.0",
                }
            },
            "examples": list(self.examples),
        }
        return {key: each for key, each in told.items() if each not in (None, [])}


def inbound_messages() -> Iterator[Message]:
    """Yield the records of each topic that leads to PostgreSQL, or away from it after a failure."""
    for source in SOURCES:
        yield _event(source)
        for delay in RETRY_DELAYS:
            yield _postponed(source, delay)
        yield _letter(source)
    yield _unreadable()


def _event(source: Topic) -> Message:
    return Message(
        topic=source,
        name="event",
        title=(
            "Event of Clerk's, or what was looked up there" if source in CLERK_EVENTS else "Command"
        ),
        headers="headers.event",
        payload=_payload(source),
        examples=[event_example(sample) for sample in SAMPLES[source]],
    )


def _postponed(source: Topic, delay: str) -> Message:
    return Message(
        topic=retry_topic(source, delay),
        name="postponed",
        title=f"Record that is tried again after {RETRY_DELAYS[delay]} s",
        headers="headers.postponed",
        payload=_payload(source),
        examples=[failed_example(each, source, delay=delay) for each in SAMPLES[source]],
    )


def _letter(source: Topic) -> Message:
    return Message(
        topic=dead_letter_topic(source),
        name="letter",
        title="Dead letter",
        headers="headers.dead",
        payload=ANYTHING,
        content_type=BYTES,
        examples=[failed_example(each, source, delay=None) for each in SAMPLES[source]],
    )


def _unreadable() -> Message:
    return Message(
        topic=UNREADABLE,
        name="letter",
        title="Webhook in quarantine",
        headers="headers.unreadable",
        payload=ANYTHING,
        content_type=BYTES,
        examples=[unreadable_example(each) for each in SAMPLES[UNREADABLE]],
    )


def _payload(source: Topic) -> Mapping[str, Any]:
    return reference(EVENT if source in CLERK_EVENTS else COMMAND)
