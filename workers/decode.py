"""Decode a Kafka record into an event. Pure and total: bytes in, value out."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import ConsumerRecord

from schema.kafka.clerk import (
    EPOCH,
    MalformedEventError,
    UnreadableEventError,
    occurred_at,
    read_envelope,
)
from schema.kafka.commands import COMMAND_TYPES
from schema.kafka.headers import read_headers, read_origin
from schema.kafka.topics import SOURCES, USER_COMMANDS
from workers.project import project
from workers.project.commands import RefusedCommandError, project_command
from workers.project.row import Row
from workers.reject import find_surrogate, reject_nul

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schema.kafka.clerk import Envelope

_IDENTIFIER: Final = re.compile(rb"[!-~]{1,128}")
_SOURCES: Final = frozenset(source.name for source in SOURCES)
_NUMBER: Final = re.compile(r"[0-9]{1,3}")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A record, read: what the ledger keeps of it, and what it changes."""

    record: ConsumerRecord[Any, Any]
    event_id: str
    """The svix-id or the command's id; a record without one is known by its place."""
    clerk_user_id: str | None
    type: str = "unreadable"
    occurred_at: datetime = EPOCH
    rows: tuple[Row, ...] = ()
    """The rows it asks for; none for a type that changes nothing here."""
    reason: str | None = None
    """Why it could not be read, where it could not, or why it was refused."""
    error_class: str = "poison.decode"
    """Whose fault that is: the event's, or with `bug` ours."""
    refused: bool = False
    """Whether it is a command that its user may not give."""
    attempts: int = 0
    """How often it was tried before."""
    replayed: bool = False
    """Whether an operator has sent it again, maybe with another payload."""
    traceparent: str | None = None
    """The trace that it belongs to, where workers trace; what it causes goes on with it."""


def decode(record: ConsumerRecord[Any, Any]) -> Event:
    """Return the event in `record`; one that cannot be read says why. Never raises.

    What it returns can always be written to the ledger, whoever produced the record.
    """
    headers = dict[str, bytes | None](record.headers)
    known: dict[str, Any] = {
        "record": record,
        "event_id": _identifier(headers, "ce_id", record) or _place(record),
        "clerk_user_id": _identifier(headers, "ce_subject", record),
    }
    if "x-attempt" in headers or "x-replay-count" in headers:
        known |= _tries(read_headers(record.headers))
    try:
        envelope = read_envelope(record.value or b"")
        reject_nul(envelope.type, "$.type")
        known["occurred_at"] = occurred_at(envelope) or EPOCH
        known["type"] = envelope.type
        return Event(**known, rows=_project(envelope, record, known))
    except RefusedCommandError as error:
        return Event(**known, reason=str(error), refused=True)
    except UnreadableEventError as error:
        surrogate = find_surrogate(record.value or b"")
        reason = f"{surrogate}: half of a surrogate pair" if surrogate else str(error)
        return Event(**known, reason=reason)
    except MalformedEventError as error:
        return Event(**known, reason=str(error))
    except Exception as error:  # noqa: BLE001  # a bug of ours must fail this event alone
        return Event(**known, reason=type(error).__name__, error_class="bug")


def read_event_id(record: ConsumerRecord[Any, Any]) -> str:
    """Return the svix-id, or for a record without one where it was first read. Never raises."""
    return _identifier(dict(record.headers), "ce_id", record) or _place(record)


def _project(
    envelope: Envelope, record: ConsumerRecord[Any, Any], known: Mapping[str, Any]
) -> tuple[Row, ...]:
    """Return the rows, of a command only where commands come from, and of others elsewhere."""
    is_command = envelope.type in COMMAND_TYPES
    if is_command != (_source(record) == USER_COMMANDS.name):
        reason = "a command on a topic of events" if is_command else "no command, on their topic"
        raise MalformedEventError("$.type", reason)
    if not is_command:
        return project(envelope, known["event_id"])
    subject = known["clerk_user_id"]
    asker = subject if subject and record.key == subject.encode() else None
    return project_command(envelope, known["event_id"], asker)


def _source(record: ConsumerRecord[Any, Any]) -> str:
    """Return the topic that a record was published to first, also where it is tried again."""
    origin = None if record.topic in _SOURCES else read_origin(record.headers)
    return origin.topic if origin else record.topic


def _place(record: ConsumerRecord[Any, Any]) -> str:
    """Return where a record was first read, wherever it has been since."""
    place = read_origin(record.headers) or record
    return f"{place.topic}-{place.partition}-{place.offset}"


def _tries(headers: Mapping[str, str]) -> dict[str, Any]:
    attempts = headers.get("x-attempt", "")
    return {
        "attempts": int(attempts) if _NUMBER.fullmatch(attempts) else 0,
        "replayed": "x-replay-count" in headers,
    }


def _identifier(
    headers: Mapping[str, bytes | None], name: str, record: ConsumerRecord[Any, Any]
) -> str | None:
    """Return a header that is an identifier, None where it is none; almost every one is."""
    raw = headers.get(name)
    if raw and _IDENTIFIER.fullmatch(raw):
        return raw.decode()
    if raw is None or raw.isascii():
        return None
    # The last that is text counts; only then must all of them be looked at.
    text = read_headers(record.headers).get(name, "").encode()
    return text.decode() if _IDENTIFIER.fullmatch(text) else None
