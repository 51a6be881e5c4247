"""Who writes and who reads which topic, and in which consumer group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from schema.kafka.topics import (
    CHANGES,
    CLERK_EVENTS,
    DEAD_LETTER_TOPICS,
    DESK_GROUP,
    GROUP,
    RETRY_DELAYS,
    SOURCES,
    UNREADABLE,
    USER_COMMANDS,
    USER_EVENTS,
    Topic,
    dead_letter_topic,
    retry_group,
    retry_topic,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Step(NamedTuple):
    """One thing that a process does with a topic."""

    process: str
    verb: str
    action: Literal["send", "receive"]
    topic: Topic
    summary: str
    group: str | None = None
    """The consumer group, where it reads."""


def _steps() -> Iterator[Step]:
    for topic in CLERK_EVENTS:
        yield Step("ingest", "publish", "send", topic, "Publish a verified webhook")
        yield Step("console", "look", "send", topic, "Publish what was looked up at Clerk")
    yield Step("api", "look", "send", USER_EVENTS, "Publish a user who was looked up at Clerk")
    yield Step("ingest", "publish", "send", USER_COMMANDS, "Publish what a signed-in user asks for")
    yield Step("ingest", "quarantine", "send", UNREADABLE, "Keep a webhook that cannot be read")
    for topic in SOURCES:
        what = "commands" if topic == USER_COMMANDS else "events"
        yield Step("worker", "apply", "receive", topic, f"Apply {what} to PostgreSQL", GROUP)
        for delay in RETRY_DELAYS:
            tier, group = retry_topic(topic, delay), retry_group(delay)
            yield Step("worker", "postpone", "send", tier, "Put aside what a bug has failed")
            yield Step("worker", "retry", "receive", tier, "Try it again once it is due", group)
        letters = dead_letter_topic(topic)
        yield Step("worker", "park", "send", letters, "Keep what cannot be applied")
    for topic in DEAD_LETTER_TOPICS:
        yield Step("worker", "index", "receive", topic, "Index dead letters", DESK_GROUP)
    for topic in SOURCES:
        yield Step("console", "replay", "send", topic, "Send a dead letter again, by hand")
    for topic in CHANGES:
        yield Step("relay", "tell", "send", topic, "Tell what has changed, once it is committed")


STEPS: Final = tuple(_steps())
