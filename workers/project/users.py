"""Project user.* and the users that session events nest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec

from schema.kafka.changes import is_canary
from schema.kafka.clerk import (
    DELETED,
    USER,
    Envelope,
    MalformedEventError,
    User,
    in_ms,
    read_data,
    read_ms,
    time_from_ms,
)
from schema.postgres.ids import derive_id
from workers.project.row import Row, latest, read_time, version_order
from workers.reject import EMPTY_JSON, read_json, reject_nuls

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from schema.kafka.clerk import EmailAddress, PhoneNumber
    from workers.project.row import Stamp

SIGNUP_SOURCES: Final[Mapping[str, str]] = {"ticket": "invite", "admin": "admin"}
"""How an address was verified -> how its user came, where that was not by signing up.

`ticket`: the link of an invitation; `admin`: created through the Backend API or the dashboard.
"""

_WEIGHT: Final = (None, "clerk", "admin", "invite")


class UserRow(NamedTuple):
    """A snapshot of a user, or with version 0 a user who was only named."""

    id: uuid.UUID
    clerk_id: str
    email: str | None = None
    email_verified: bool = False
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    image_url: str | None = None
    external_id: str | None = None
    role: str = "user"
    status: str = "pending"
    public_metadata: str = EMPTY_JSON
    last_sign_in_at: datetime | None = None
    last_active_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int = 0
    version_timestamp: int = 0
    version_event_id: str = ""
    signup_source: str | None = None
    last_event_at: datetime | None = None
    creates: bool = True
    """Whether there must be a row; else one that is there is locked, and no more."""

    def merge(self, other: Self) -> Self:
        """Return the later snapshot, with the latest times and the weightiest source of both."""
        return max(self, other, key=version_order)._replace(
            last_sign_in_at=latest(self.last_sign_in_at, other.last_sign_in_at),
            last_active_at=latest(self.last_active_at, other.last_active_at),
            last_event_at=latest(self.last_event_at, other.last_event_at),
            signup_source=max(self.signup_source, other.signup_source, key=_WEIGHT.index),
            creates=self.creates or other.creates,
        )


class NameId(NamedTuple):
    """Which snapshot of which user a name is from."""

    user_id: uuid.UUID
    version: int


class NameRow(NamedTuple):
    """The name in one snapshot of a user."""

    user_id: uuid.UUID
    version: int
    version_timestamp: int
    version_event_id: str
    first_name: str | None
    last_name: str | None

    @property
    def id(self) -> NameId:
        """Its two keys."""
        return NameId(self.user_id, self.version)

    def merge(self, other: Self) -> Self:
        """Return the later of two names of one version."""
        return max(self, other, key=version_order)


class DeletionRow(NamedTuple):
    """The end of a user."""

    id: uuid.UUID
    deleted_at: datetime
    version_event_id: str

    def merge(self, other: Self) -> Self:
        """Return the later deletion: a restoration voids those before it."""
        return max(self, other)


def project_user(envelope: Envelope, stamp: Stamp) -> Iterable[Row]:
    """Return a snapshot and its name."""
    user = read_data(envelope, USER)
    reject_nuls(envelope.data, user)
    return snapshot(user, stamp, at="$.data")


def snapshot(user: User, stamp: Stamp, *, at: str) -> tuple[UserRow | NameRow, ...]:
    """Return the snapshot that stands at `at`, and its name."""
    version = read_ms(user.updated_at, f"{at}.updated_at")
    if is_canary(user.id):
        return (_canary(user.id, version, stamp),)
    row = _row(user, stamp, version=version, at=at)
    return row, NameRow(
        row.id, version, stamp.timestamp, stamp.event_id, user.first_name, user.last_name
    )


def _row(user: User, stamp: Stamp, *, version: int, at: str) -> UserRow:
    email, email_verified = _primary_email(user)
    updated_at = time_from_ms(version)
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
        role=_role(user, at=at),
        status=_status(user),
        public_metadata=read_json(user.public_metadata, f"{at}.public_metadata"),
        last_sign_in_at=read_time(user.last_sign_in_at, at, "last_sign_in_at"),
        last_active_at=read_time(user.last_active_at, at, "last_active_at"),
        # Clerk always sends it; lists are ordered by it, so that a user without one needs one.
        created_at=read_time(user.created_at, at, "created_at") or updated_at,
        updated_at=updated_at,
        version=version,
        version_timestamp=stamp.timestamp,
        version_event_id=stamp.event_id,
        signup_source=_signup_source(user),
        last_event_at=stamp.occurred_at,
    )


def project_user_deletion(envelope: Envelope, stamp: Stamp) -> Iterator[Row]:
    """Yield the user, who may never have been seen, and their end.

    The event carries no updated_at; its own time is the only one there is.
    """
    clerk_id = read_data(envelope, DELETED).id
    yield name_user(clerk_id, stamp)
    yield DeletionRow(
        id=derive_id(clerk_id),
        deleted_at=time_from_ms(stamp.at),
        version_event_id=stamp.event_id,
    )


def name_user(clerk_id: str, stamp: Stamp) -> UserRow:
    """Return a row for a user of whom the event says only that there is one."""
    return UserRow(id=derive_id(clerk_id), clerk_id=clerk_id, last_event_at=stamp.occurred_at)


def _canary(clerk_id: str, version: int, stamp: Stamp) -> UserRow:
    """Return a user whom readers never see, pending for ever, whose version moves all the same."""
    return UserRow(
        id=derive_id(clerk_id),
        clerk_id=clerk_id,
        version=version,
        version_timestamp=stamp.timestamp,
        version_event_id=stamp.event_id,
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


def _signup_source(user: User) -> str:
    """Return how the user came, by the addresses that are as old as the user."""
    found = "clerk"
    addresses: list[EmailAddress | PhoneNumber] = [*user.email_addresses, *user.phone_numbers]
    for address in addresses:
        verification = address.verification
        source = SIGNUP_SOURCES.get(verification.strategy or "") if verification else None
        if source and _is_from_signup(address, user):
            found = max(found, source, key=_WEIGHT.index)
    return found


def _is_from_signup(address: EmailAddress | PhoneNumber, user: User) -> bool:
    # Clerk makes the addresses of a sign-up just before the user, later ones later.
    if address.created_at is None or user.created_at is None:
        return False
    return in_ms(address.created_at) <= in_ms(user.created_at)


class _Role(msgspec.Struct, frozen=True):
    role: Any = None


_ROLE: Final = msgspec.json.Decoder(_Role | None)


def _role(user: User, *, at: str) -> str:
    try:
        metadata = _ROLE.decode(user.public_metadata)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise MalformedEventError(f"{at}.public_metadata", "not a JSON object") from None
    return "admin" if metadata and metadata.role == "admin" else "user"
