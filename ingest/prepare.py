"""Prepare the record for a rightly signed body. Pure: bytes in, record out.

A body that cannot be read is kept byte for byte in the quarantine topic: the fault is ours to
read, and a 4xx would make Clerk retry it for 27 h and then disable the endpoint.
"""

from __future__ import annotations

import contextlib
from typing import Final, NamedTuple

import msgspec

from ingest.redact import TYPES as REDACTED_TYPES
from ingest.redact import redact
from ingest.route import route
from schema.kafka.clerk import (
    MAX_TYPE_LENGTH,
    NOTHING,
    Envelope,
    MalformedEventError,
    Name,
    Subject,
    occurred_at,
    read_envelope,
    read_subject,
    read_version,
)
from schema.kafka.headers import (
    SOURCE,
    EventHeaders,
    Failure,
    write_event_headers,
    write_failure_headers,
)
from schema.kafka.producer import Record
from schema.kafka.topics import UNREADABLE


class Delivery(NamedTuple):
    """A rightly signed webhook."""

    body: bytes
    event_id: str
    """The svix-id."""
    request_id: str


class _Whole(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope and whom its event is about: see Envelope."""

    type: str
    data: Subject
    timestamp: int | None = None
    instance_id: Name | None = None


_WHOLE: Final = msgspec.json.Decoder(_Whole)


class Reached(NamedTuple):
    """What the row of a user will have reached once the event is applied."""

    user_id: str
    """Clerk's id."""
    version: int
    """At least this; in milliseconds since 1970."""


class Prepared(NamedTuple):
    """What is to be published for a webhook."""

    record: Record
    status: str
    """`accepted` or `quarantined`."""
    reaches: Reached | None = None
    """What can be waited for, where it is an event of a user that tells its time."""


def prepare(delivery: Delivery, *, instance_id: str | None) -> Prepared:
    """Return the record for `delivery`. Never raises.

    `instance_id` is the only Clerk instance whose events are accepted; None accepts all. An
    event that names no instance is accepted: Clerk's own examples leave it out.
    """
    if whole := _read_whole(delivery.body):
        envelope, subject = whole
        if envelope.type not in REDACTED_TYPES and _is_ours(envelope, instance_id):
            with contextlib.suppress(MalformedEventError):
                return _accept(delivery, value=delivery.body, envelope=envelope, subject=subject)
    return _prepare_by_steps(delivery, instance_id=instance_id)


def _prepare_by_steps(delivery: Delivery, *, instance_id: str | None) -> Prepared:
    """Return the record, and where anything is wrong with the event, name what is wrong first."""
    value = redact(delivery.body)
    try:
        envelope = read_envelope(delivery.body)
        if not _is_ours(envelope, instance_id):
            foreign = MalformedEventError("$.instance_id", "not the instance served here")
            return _quarantine(delivery, value=value, code="FOREIGN_INSTANCE", error=foreign)
        subject = read_subject(envelope)
        return _accept(delivery, value=value, envelope=envelope, subject=subject)
    except MalformedEventError as error:
        return _quarantine(delivery, value=value, code="UNREADABLE_EVENT", error=error)


def _read_whole(body: bytes) -> tuple[Envelope, Subject] | None:
    """Read envelope and subject at once, two thirds of the work; None where anything is wrong."""
    try:
        whole = _WHOLE.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if not 0 < len(whole.type) <= MAX_TYPE_LENGTH:
        return None
    envelope = Envelope(
        type=whole.type,
        data=NOTHING,
        timestamp=whole.timestamp,
        instance_id=whole.instance_id,
    )
    return envelope, whole.data


def _is_ours(envelope: Envelope, instance_id: str | None) -> bool:
    return not instance_id or (envelope.instance_id or instance_id) == instance_id


def _accept(delivery: Delivery, *, value: bytes, envelope: Envelope, subject: Subject) -> Prepared:
    destination = route(envelope.type, subject)
    headers = EventHeaders(
        event_id=delivery.event_id,
        event_type=envelope.type,
        source=envelope.instance_id or SOURCE,
        occurred_at=occurred_at(envelope),
        subject=destination.user_id,
        request_id=delivery.request_id,
        redacted=value is not delivery.body,
    )
    record = Record(
        topic=destination.topic.name,
        key=destination.key.encode(),
        value=value,
        headers=write_event_headers(headers),
    )
    version = read_version(envelope, subject)
    reaches = None
    if version is not None and destination.user_id:
        reaches = Reached(user_id=destination.user_id, version=version)
    return Prepared(record=record, status="accepted", reaches=reaches)


def _quarantine(
    delivery: Delivery, *, value: bytes, code: str, error: MalformedEventError
) -> Prepared:
    headers = EventHeaders(
        event_id=delivery.event_id,
        event_type="unreadable",
        source=SOURCE,
        occurred_at=None,
        subject=None,
        request_id=delivery.request_id,
        redacted=value is not delivery.body,
    )
    failure = Failure(error_class="poison.decode", error_code=code, message=str(error))
    record = Record(
        topic=UNREADABLE.name,
        key=delivery.event_id.encode(),
        value=value,
        headers=write_event_headers(headers) + write_failure_headers(failure),
    )
    return Prepared(record=record, status="quarantined")
