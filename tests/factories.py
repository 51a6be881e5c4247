"""Make webhooks: recorded bodies with a few fields replaced, rightly signed."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiokafka import ConsumerRecord
from svix.webhooks import Webhook

from schema.kafka.headers import EventHeaders, write_event_headers
from schema.kafka.snapshots import ABSENCE, SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schema.kafka.headers import RawHeaders

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""A signing secret that signs nothing real."""

SAMPLES: Final = Path(__file__).parents[1] / "schema/kafka/samples"
CREATED_MS: Final = 1_767_225_600_000

LOOKS: Final[Mapping[str, str]] = {
    f"{SNAPSHOT}user": "user.created",
    f"{SNAPSHOT}organization": "organization.created",
    f"{SNAPSHOT}organizationMembership": "organizationMembership.created",
    f"{SNAPSHOT}session": "session.created",
    f"{ABSENCE}user": "user.deleted",
    f"{ABSENCE}organization": "organization.deleted",
    f"{ABSENCE}organizationMembership": "organizationMembership.created",
    f"{ABSENCE}session": "session.created",
}
"""What somebody saw at Clerk -> the recorded webhook about the same."""


def make_body(
    sample: str, *, timestamp: int | None = None, without: Sequence[str] = (), **data: Any
) -> bytes:
    """Return the recorded body `sample` with fields of its `data` replaced or left out.

    Or that of a look at Clerk, which is made from one.
    """
    event = json.loads((SAMPLES / f"{LOOKS.get(sample, sample)}.json").read_bytes())
    if sample in LOOKS:
        looked = {name: each for name, each in event["data"].items() if name != "user"}
        event = {"type": sample, "timestamp": event["timestamp"], "data": looked}
    event["data"] |= data
    for name in without:
        del event["data"][name]
    if timestamp is not None:
        event["timestamp"] = timestamp
    return json.dumps(event).encode()


def new_user_id() -> str:
    """Return a clerk user id that no other test has."""
    return f"user_{uuid.uuid4().hex}"


def new_event_id() -> str:
    """Return a svix-id that no other test has."""
    return f"msg_{uuid.uuid4().hex}"


def user_event(user_id: str, *, at: int, kind: str = "user.updated", **data: Any) -> bytes:
    """Return a user.created, user.updated or user.deleted of `at` ms after the beginning."""
    if kind == "user.deleted":
        return make_body(kind, timestamp=CREATED_MS + at, id=user_id, **data)
    fields = {"updated_at": CREATED_MS + at} | data
    return make_body("user.created", timestamp=CREATED_MS + at + 7, id=user_id, **fields).replace(
        b'"user.created"', f'"{kind}"'.encode()
    )


def sign(
    body: bytes,
    *,
    event_id: str | None = None,
    secret: str = SECRET,
    timestamp_s: float | None = None,
) -> dict[str, str]:
    """Return the headers with which Svix would deliver `body`."""
    event_id = event_id or new_event_id()
    at = datetime.fromtimestamp(time.time() if timestamp_s is None else timestamp_s, tz=UTC)
    return {
        "content-type": "application/json",
        "svix-id": event_id,
        "svix-timestamp": str(int(at.timestamp())),
        "svix-signature": Webhook(secret).sign(event_id, at, body.decode()),
    }


def inbound_headers(event_id: str, *, subject: str | None = None) -> RawHeaders:
    """Return the headers that ingest would give a record."""
    return write_event_headers(
        EventHeaders(
            event_id=event_id,
            event_type="user.updated",
            source="tests",
            occurred_at=None,
            subject=subject,
            request_id="tests",
        )
    )


def make_record(
    body: bytes | None,
    *,
    event_id: str | None = None,
    topic: str = "clerk.user-events",
    partition: int = 0,
    offset: int = 0,
    headers: Sequence[tuple[str, bytes | None]] | None = None,
    subject: str | None = None,
) -> ConsumerRecord[Any, Any]:
    """Return a record as ingest would have published it."""
    if headers is None:
        headers = inbound_headers(event_id or new_event_id(), subject=subject)
    return ConsumerRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=CREATED_MS,
        timestamp_type=0,
        key=b"key",
        value=body,
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=len(body or b""),
        headers=tuple(headers),  # type: ignore[arg-type]  # null values are real
    )


def ingest_environment(**overrides: str) -> Mapping[str, str]:
    """Return an environment that ingest starts with."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
    } | overrides
