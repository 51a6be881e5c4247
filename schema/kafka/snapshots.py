"""Snapshots: what we ourselves saw at Clerk, on the same topics and keys as Clerk's own events.

Clerk does not promise that every webhook arrives. What a look at its Backend API shows is published
like an event, so that ordering, ledger, change topics and rebuild hold for it too. Its type says
that it is no webhook, `ce_source` who looked.

How new a snapshot is, its `updated_at` says, and nothing else: the `timestamp` of its envelope,
when somebody looked, decides nothing. So looking again never beats a webhook that is as new.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from schema.kafka.clerk import MalformedEventError, read_envelope, read_subject
from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.producer import Record
from schema.kafka.topics import ORG_EVENTS, USER_EVENTS

if TYPE_CHECKING:
    from schema.kafka.clerk import Subject

Kind = Literal["user", "organization", "organizationMembership", "session"]
"""What Clerk's API knows, named as before the dot of Clerk's event types."""

Looker = Literal["backfill", "reconcile", "api"]
"""Who looked."""

SNAPSHOT: Final = "clerkwork.snapshot."
"""Before the kind: the type of what Clerk has. `data` is as in Clerk's answer."""

ABSENCE: Final = "clerkwork.absence."
"""Before the kind: the type of what Clerk has no more. `data` is what is known of it here."""

_SECRET: Final = frozenset({"private_metadata"})
"""Nothing reads it, so it is not kept."""

_NAMESPACE: Final = uuid.UUID("4bf1f6f0-1f5c-5a0b-9c5e-6a0d3f1f3c11")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write_snapshot(kind: Kind, answer: bytes, *, looker: Looker, seen_ms: int) -> Record:
    """Return the record of what Clerk's API answered; `seen_ms`: since when it is being looked.

    The same answer in the same look has the same id. Raises MalformedEventError when nothing in
    it says what it is about.
    """
    return _write(SNAPSHOT + kind, kind, answer, looker=looker, seen_ms=seen_ms)


def write_absence(kind: Kind, known: bytes, *, looker: Looker, clock_ms: int) -> Record:
    """Return the record of what Clerk has no more; `clock_ms` is Clerk's clock when it said so.

    `known` is JSON in the shape of Clerk's own: for a user and an organization at least `id`, for
    a membership all that an event of its deletion has, for a session `id`, `user_id`, `updated_at`.
    Raises MalformedEventError when nothing in it says what it is about.
    """
    return _write(ABSENCE + kind, kind, known, looker=looker, seen_ms=clock_ms)


def _write(type_: str, kind: Kind, text: bytes, *, looker: Looker, seen_ms: int) -> Record:
    data = _without_secrets(text)
    body = msgspec.json.encode({"type": type_, "timestamp": seen_ms, "data": data})
    subject = read_subject(read_envelope(body))
    user_id = _user_id(kind, subject)
    key = user_id or (subject.id if kind == "organization" else None)
    if not key:
        raise MalformedEventError("$.data", "nothing in it identifies whom it is about")
    digest = hashlib.sha256(body).hexdigest()
    event_id = f"snap_{uuid.uuid5(_NAMESPACE, digest).hex}"
    headers = EventHeaders(
        event_id=event_id,
        event_type=type_,
        source=f"clerkwork/{looker}",
        occurred_at=_EPOCH + timedelta(milliseconds=seen_ms),
        subject=user_id,
        request_id=event_id,
    )
    return Record(
        topic=(USER_EVENTS if user_id else ORG_EVENTS).name,
        key=key.encode(),
        value=body,
        headers=write_event_headers(headers),
    )


def _without_secrets(text: bytes) -> dict[str, Any]:
    try:
        data = _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise MalformedEventError("$", "not a JSON object") from None
    return {name: value for name, value in data.items() if name not in _SECRET}


def _user_id(kind: Kind, subject: Subject) -> str | None:
    if kind == "user":
        return subject.id
    if kind == "session":
        return subject.user_id
    if kind == "organizationMembership" and subject.public_user_data:
        return subject.public_user_data.user_id
    return None
