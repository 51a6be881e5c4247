"""Examples for the document: recorded webhooks, and what our own code makes of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import schema.kafka
from schema.kafka.changes import PostState, UserState
from schema.kafka.clerk import Envelope, occurred_at, read_envelope, read_subject
from schema.kafka.commands import SOURCE as COMMANDS
from schema.kafka.commands import TYPES, write_command
from schema.kafka.headers import (
    SOURCE,
    EventHeaders,
    Failure,
    Origin,
    read_headers,
    write_event_headers,
    write_failure_headers,
)
from schema.kafka.snapshots import ABSENCE, SNAPSHOT, Kind, write_absence, write_snapshot
from schema.kafka.topics import GROUP, RETRY_DELAYS, Topic
from schema.postgres.ids import derive_post_id
from workers.describe.commands import COMMAND_ID, EXAMPLES
from workers.project import project
from workers.project.users import UserRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schema.kafka.headers import RawHeaders
    from schema.kafka.producer import Record

_DIRECTORY: Final = Path(schema.kafka.__file__).with_name("samples")
_LOOKS: Final[Mapping[str, tuple[Kind, str]]] = {
    f"{SNAPSHOT}user": ("user", "user.created"),
    f"{SNAPSHOT}organization": ("organization", "organization.created"),
    f"{ABSENCE}user": ("user", "user.deleted"),
}
"""Type of a look at Clerk -> what was looked at, and the recorded webhook that has the same."""

_EVENT_ID: Final = "msg_37ZrW2mQkV0nXyB4cD6fH8jL1pT"
_ISSUED_MS: Final = 1_767_225_660_000
_REQUEST_ID: Final = "01KDVDNJ2E9W9Q0Q2T8ZB3M5R7"


@cache
def read_sample(name: str) -> bytes:
    """Return a recorded body; that of a command is made up, that of a look made from a webhook."""
    if name in _LOOKS:
        return _read_look(name).value or b""
    commands = {TYPES[type(command)]: command for command in EXAMPLES}
    if name in commands:
        return write_command(commands[name], issued_ms=_ISSUED_MS)
    return (_DIRECTORY / f"{name}.json").read_bytes()


def _read_look(name: str) -> Record:
    kind, sample = _LOOKS[name]
    data = bytes(read_envelope(read_sample(sample)).data)
    if name.startswith(ABSENCE):
        return write_absence(kind, data, looker="reconcile", clock_ms=_ISSUED_MS)
    return write_snapshot(kind, data, looker="backfill", seen_ms=_ISSUED_MS)


def event_example(sample: str) -> dict[str, Any]:
    """Return a recorded event, with the headers that ingest gives it."""
    return _example(sample, _event_headers(sample))


def failed_example(sample: str, source: Topic, *, delay: str | None) -> dict[str, Any]:
    """Return the same after a bug has failed it: in the tier of `delay`, or as a dead letter."""
    envelope = read_envelope(read_sample(sample))
    failed_at = _time(envelope)
    tiers = list(RETRY_DELAYS)
    failure = Failure(
        error_class="bug",
        error_code="UNEXPECTED_ERROR",
        message="KeyError",
        attempt=1 + (tiers.index(delay) if delay else len(tiers)),
        retry_at=failed_at + timedelta(seconds=RETRY_DELAYS[delay]) if delay else None,
    )
    origin = Origin(
        topic=source.name,
        partition=3,
        offset=1042,
        timestamp_ms=round(failed_at.timestamp() * 1000),
        group=GROUP,
        first_failed_at=failed_at,
    )
    return _example(sample, _event_headers(sample) + write_failure_headers(failure, origin))


def unreadable_example(sample: str) -> dict[str, Any]:
    """Return a recorded event as it is kept where another instance is served."""
    headers = write_event_headers(
        EventHeaders(
            event_id=_EVENT_ID,
            event_type="unreadable",
            source=SOURCE,
            occurred_at=None,
            subject=None,
            request_id=_REQUEST_ID,
        )
    )
    failure = Failure(
        error_class="poison.decode",
        error_code="FOREIGN_INSTANCE",
        message="$.instance_id: not the instance served here",
    )
    return _example(sample, headers + write_failure_headers(failure))


def user_state(sample: str) -> UserState:
    """Return what others are told of the user in a recorded event."""
    envelope = read_envelope(read_sample(sample))
    row = next(each for each in project(envelope, _EVENT_ID) if isinstance(each, UserRow))
    known: Mapping[str, Any] = row._asdict()
    return UserState.model_validate(
        {name: known[name] for name in UserState.model_fields.keys() & known.keys()}
        | {
            "schema_version": 1,
            "sequence": round(_time(envelope).timestamp() * 1_000_000),
            "public_metadata": json.loads(row.public_metadata),
        }
    )


def post_state(author: UserState) -> PostState:
    """Return what others are told of a post; made up, because Clerk knows no posts."""
    at = datetime.fromtimestamp(author.sequence // 1_000_000 + 60, UTC)
    return PostState(
        schema_version=1,
        sequence=round(at.timestamp() * 1_000_000),
        version=round(at.timestamp() * 1000),
        id=derive_post_id(author.clerk_id, COMMAND_ID),
        user_id=author.id,
        clerk_user_id=author.clerk_id,
        title="Hello",
        body="This is my first post.",
        status="published",
        created_at=at,
        updated_at=at,
    )


def _event_headers(sample: str) -> RawHeaders:
    """Return what ingest writes about an event that belongs to a user, or to no one."""
    if sample in _LOOKS:
        return list(_read_look(sample).headers)
    envelope = read_envelope(read_sample(sample))
    subject = read_subject(envelope)
    is_command = envelope.type in TYPES.values()
    return write_event_headers(
        EventHeaders(
            event_id=COMMAND_ID if is_command else _EVENT_ID,
            event_type=envelope.type,
            source=COMMANDS if is_command else envelope.instance_id or SOURCE,
            occurred_at=occurred_at(envelope),
            subject=subject.id if envelope.type.startswith("user.") else subject.user_id,
            request_id=_REQUEST_ID,
        )
    )


def _time(envelope: Envelope) -> datetime:
    return occurred_at(envelope) or datetime.fromtimestamp(0, UTC)


def _example(sample: str, headers: RawHeaders) -> dict[str, Any]:
    return {
        "name": sample,
        "headers": dict(read_headers(headers)),
        "payload": json.loads(read_sample(sample)),
    }
