"""Make commands: records as ingest would have published them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, Literal

from aiokafka import ConsumerRecord

from schema.kafka.commands import (
    SOURCE,
    TYPES,
    Command,
    PostChange,
    PostCreation,
    PostDeletion,
    write_command,
)
from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.topics import USER_COMMANDS
from schema.postgres.ids import derive_post_id
from tests.factories import CREATED_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schema.kafka.headers import RawHeaders

Status = Literal["draft", "published"]

OWN_DATA: Final[dict[str, Any]] = {
    "preferences": {
        "theme": "dark",
        "notifications": True,
        "language": "pt-BR",
        "timezone": "Europe/Lisbon",
    },
    "feature_flags": {"new-editor": True, "ab": False, "aa": True},
    "onboarding_status": {
        "step": "profile",
        "completed": False,
        "started_at": "2026-01-31T12:00:00.000Z",
    },
}
"""A value of each key that users set."""


def new_command_id() -> str:
    """Return a command id that no other test has."""
    return f"cmd_{uuid.uuid4().hex}"


def new_post_id(author: str) -> uuid.UUID:
    """Return the id of a post of this author's that no other test has."""
    return derive_post_id(author, new_command_id())


def create_post(
    author: str,
    post: uuid.UUID,
    title: str = "Hello",
    *,
    body: str = "First.",
    status: Status = "draft",
) -> PostCreation:
    """Return what creates a post."""
    return PostCreation(id=post, user_id=author, title=title, body=body, status=status)


def change_post(author: str, post: uuid.UUID, **fields: Any) -> PostChange:
    """Return what changes some fields of a post."""
    return PostChange(id=post, user_id=author, **fields)


def delete_post(author: str, post: uuid.UUID) -> PostDeletion:
    """Return what deletes a post."""
    return PostDeletion(id=post, user_id=author)


def command_headers(command_id: str, kind: str, subject: str | None) -> RawHeaders:
    """Return the headers that ingest gives a command."""
    return write_event_headers(
        EventHeaders(
            event_id=command_id,
            event_type=kind,
            source=SOURCE,
            occurred_at=None,
            subject=subject,
            request_id="tests",
        )
    )


def command_record(
    command: Command, *, at: int = 0, command_id: str | None = None, offset: int = 0
) -> ConsumerRecord[Any, Any]:
    """Return the record of a command that was accepted `at` ms after the beginning."""
    body = write_command(command, issued_ms=CREATED_MS + at)
    return raw_command(
        body,
        asker=command.user_id,
        kind=TYPES[type(command)],
        command_id=command_id,
        offset=offset,
    )


def raw_command(
    body: bytes,
    *,
    asker: str,
    kind: str,
    command_id: str | None = None,
    key: bytes | None = None,
    topic: str = USER_COMMANDS.name,
    headers: Sequence[tuple[str, bytes]] = (),
    offset: int = 0,
) -> ConsumerRecord[Any, Any]:
    """Return a record with any value."""
    written = command_headers(command_id or new_command_id(), kind, asker)
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=offset,
        timestamp=CREATED_MS,
        timestamp_type=0,
        key=asker.encode() if key is None else key,
        value=body,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=len(body),
        headers=(*written, *headers),
    )
