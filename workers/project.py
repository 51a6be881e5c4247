"""Project one event onto the row it asks for. Pure: an envelope in, a row of `users` out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from schema.kafka.clerk import (
    DELETED_USER,
    USER,
    Envelope,
    MalformedEventError,
    User,
    read_data,
    read_ms,
    time_from_ms,
)
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

SNAPSHOTS: Final = frozenset({"user.created", "user.updated"})
DELETION: Final = "user.deleted"


class UserRow(NamedTuple):
    """A row of `users`, in the order in which apply.sql takes the columns."""

    id: uuid.UUID
    clerk_id: str
    email: str | None
    email_verified: bool
    first_name: str | None
    last_name: str | None
    username: str | None
    image_url: str | None
    external_id: str | None
    role: str
    status: str
    public_metadata: str
    last_sign_in_at: datetime | None
    last_active_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    version: int
    version_timestamp: int
    version_event_id: str


def project(envelope: Envelope, event_id: str) -> UserRow | None:
    """Return the row that the event asks for, None where its type changes nothing here.

    Raises MalformedEventError naming the field that cannot be kept.
    """
    timestamp_ms = read_ms(envelope.timestamp or 0, "$.timestamp")
    if envelope.type in SNAPSHOTS:
        return _snapshot(read_data(envelope, USER), timestamp_ms=timestamp_ms, event_id=event_id)
    if envelope.type == DELETION:
        clerk_id = read_data(envelope, DELETED_USER).id
        return _tombstone(clerk_id, timestamp_ms=timestamp_ms, event_id=event_id)
    return None


def _snapshot(user: User, *, timestamp_ms: int, event_id: str) -> UserRow:
    _reject_nuls(user)
    email, email_verified = _primary_email(user)
    version = read_ms(user.updated_at, "$.data.updated_at")
    return UserRow(
        id=derive_id(user.id),
        clerk_id=user.id,
        email=email,
        email_verified=email_verified,
        first_name=user.first_name,
        last_name=user.last_name,
        username=user.username,
        image_url=user.image_url,
        external_id=user.external_id,
        role=_role(user),
        status=_status(user),
        public_metadata=_metadata(user),
        last_sign_in_at=_time(user.last_sign_in_at, "last_sign_in_at"),
        last_active_at=_time(user.last_active_at, "last_active_at"),
        # Clerk always sends it; lists are ordered by it, so that a user without one needs one.
        created_at=_time(user.created_at, "created_at") or time_from_ms(version),
        updated_at=time_from_ms(version),
        deleted_at=None,
        version=version,
        version_timestamp=timestamp_ms,
        version_event_id=event_id,
    )


def _tombstone(clerk_id: str, *, timestamp_ms: int, event_id: str) -> UserRow:
    """Return what stays of a deleted user: that there was one, and when it ended.

    The event carries no updated_at; its own time is the only one there is.
    """
    reject_nul(clerk_id, "$.data.id")
    return UserRow(
        id=derive_id(clerk_id),
        clerk_id=clerk_id,
        email=None,
        email_verified=False,
        first_name=None,
        last_name=None,
        username=None,
        image_url=None,
        external_id=None,
        role="user",
        status="deleted",
        public_metadata="{}",
        last_sign_in_at=None,
        last_active_at=None,
        created_at=None,
        updated_at=None,
        deleted_at=time_from_ms(timestamp_ms),
        version=timestamp_ms,
        version_timestamp=timestamp_ms,
        version_event_id=event_id,
    )


def _primary_email(user: User) -> tuple[str | None, bool]:
    """Return the primary address and whether it is verified.

    It is the one that primary_email_address_id names, which need not be the first, nor verified.
    """
    for address in user.email_addresses:
        if address.id == user.primary_email_address_id:
            verification = address.verification
            return address.email_address, bool(verification and verification.status == "verified")
    return None, False


def _status(user: User) -> str:
    """Return the gravest of what applies: Clerk has no event types of their own for these."""
    if user.banned:
        return "banned"
    if user.deprovisioned:
        return "deprovisioned"
    return "locked" if user.locked else "active"


class _Role(msgspec.Struct, frozen=True):
    role: Any = None


_ROLE: Final = msgspec.json.Decoder(_Role | None)


def _role(user: User) -> str:
    try:
        metadata = _ROLE.decode(user.public_metadata)
    except (msgspec.DecodeError, RecursionError):
        raise MalformedEventError("$.data.public_metadata", "not a JSON object") from None
    return "admin" if metadata and metadata.role == "admin" else "user"


def _metadata(user: User) -> str:
    text = bytes(user.public_metadata).decode()
    return "{}" if text == "null" else text


def _time(ms: int | None, name: str) -> datetime | None:
    return None if ms is None else time_from_ms(read_ms(ms, f"$.data.{name}"))


_NUL_ESCAPE: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_TEXT_FIELDS: Final = tuple(
    field.name for field in msgspec.structs.fields(User) if field.type in (str, str | None)
)


def reject_nul(text: str, field: str) -> None:
    """Raise MalformedEventError where `text` holds what no text column can."""
    if "\x00" in text:
        raise MalformedEventError(field, "holds a NUL character, which PostgreSQL cannot store")


def _reject_nuls(user: User) -> None:
    for name in _TEXT_FIELDS:
        reject_nul(getattr(user, name) or "", f"$.data.{name}")
    for address in user.email_addresses:
        reject_nul(address.email_address, "$.data.email_addresses")
    if _NUL_ESCAPE.search(bytes(user.public_metadata)):
        reject_nul("\x00", "$.data.public_metadata")
