"""Project organizations, who belongs to them, and the invitations that were accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from schema.kafka.clerk import (
    DELETED,
    INVITATION,
    MEMBERSHIP,
    ORGANIZATION,
    Envelope,
    MalformedEventError,
    Organization,
    read_data,
    read_ms,
    time_from_ms,
)
from schema.kafka.snapshots import ABSENCE
from schema.postgres.ids import derive_id
from workers.project.row import Order, Row, read_time, version_order
from workers.project.users import name_user
from workers.reject import EMPTY_JSON, read_json, reject_nuls

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator
    from datetime import datetime

    from workers.project.row import Stamp


class OrganizationRow(NamedTuple):
    """A snapshot or the end of an organization, or with version 0 one that was only named."""

    id: uuid.UUID
    clerk_id: str
    name: str | None = None
    slug: str | None = None
    image_url: str | None = None
    public_metadata: str = EMPTY_JSON
    status: str = "pending"
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    version: int = 0
    version_timestamp: int = 0
    version_event_id: str = ""

    def merge(self, other: Self) -> Self:
        """Return the later snapshot, or the end."""
        return max(self, other, key=_end_order)


class MembershipRow(NamedTuple):
    """A membership as one event has it."""

    id: uuid.UUID
    clerk_id: str
    organization_id: uuid.UUID
    user_id: uuid.UUID
    role: str
    permissions: str
    public_metadata: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int
    version_timestamp: int
    version_event_id: str

    def merge(self, other: Self) -> Self:
        """Return the later snapshot, or the end."""
        return max(self, other, key=_end_order)


class InvitationRow(NamedTuple):
    """An accepted invitation."""

    id: uuid.UUID
    clerk_id: str
    organization_id: uuid.UUID
    user_id: uuid.UUID
    role: str
    created_at: datetime
    accepted_at: datetime
    version: int
    version_timestamp: int
    version_event_id: str

    def merge(self, other: Self) -> Self:
        """Return the later snapshot."""
        return max(self, other, key=version_order)


def _end_order(row: OrganizationRow | MembershipRow) -> tuple[bool, Order]:
    return row.deleted_at is not None, version_order(row)


def project_organization(envelope: Envelope, stamp: Stamp) -> Iterator[Row]:
    """Yield a snapshot."""
    organization = read_data(envelope, ORGANIZATION)
    reject_nuls(envelope.data, organization)
    if organization.updated_at is None:
        raise MalformedEventError("$.data", "Object missing required field `updated_at`")
    yield _snapshot(organization, stamp, at="$.data")


def project_organization_deletion(envelope: Envelope, stamp: Stamp) -> Iterator[Row]:
    """Yield the end of an organization that may never have been seen."""
    clerk_id = read_data(envelope, DELETED).id
    yield OrganizationRow(
        id=derive_id(clerk_id),
        clerk_id=clerk_id,
        status="deleted",
        deleted_at=time_from_ms(stamp.at),
        version=stamp.at,
        version_timestamp=stamp.at,
        version_event_id=stamp.event_id,
    )


def project_membership(envelope: Envelope, stamp: Stamp) -> Iterator[Row]:
    """Yield the membership, the organization nested in it, and its user.

    The payload of a deletion is the whole membership, and its updated_at need not have moved. That
    of an absence is what was known here: it says nothing of the organization.
    """
    membership = read_data(envelope, MEMBERSHIP)
    reject_nuls(envelope.data, membership)
    version = read_ms(membership.updated_at, "$.data.updated_at")
    updated_at = time_from_ms(version)
    absent = envelope.type.startswith(ABSENCE)
    ends = absent or envelope.type.endswith(".deleted")
    organization_id = derive_id(membership.organization.id)
    yield name_user(membership.public_user_data.user_id, stamp)
    if absent:
        yield OrganizationRow(id=organization_id, clerk_id=membership.organization.id)
    else:
        yield _snapshot(membership.organization, stamp, at="$.data.organization")
    yield MembershipRow(
        id=derive_id(membership.id),
        clerk_id=membership.id,
        organization_id=organization_id,
        user_id=derive_id(membership.public_user_data.user_id),
        role=membership.role,
        permissions=msgspec.json.encode(membership.permissions or []).decode(),
        public_metadata=read_json(membership.public_metadata, "$.data.public_metadata"),
        created_at=read_time(membership.created_at, "$.data", "created_at") or updated_at,
        updated_at=updated_at,
        deleted_at=time_from_ms(stamp.at) if ends else None,
        version=version,
        version_timestamp=stamp.timestamp,
        version_event_id=stamp.event_id,
    )


def project_invitation(envelope: Envelope, stamp: Stamp) -> Iterator[Row]:
    """Yield an accepted invitation and whom it names; nothing where it names no user."""
    invitation = read_data(envelope, INVITATION)
    reject_nuls(envelope.data, invitation)
    if not invitation.user_id:
        return
    version = read_ms(invitation.updated_at, "$.data.updated_at")
    organization_id = derive_id(invitation.organization_id)
    yield name_user(invitation.user_id, stamp)
    yield OrganizationRow(id=organization_id, clerk_id=invitation.organization_id)
    yield InvitationRow(
        id=derive_id(invitation.id),
        clerk_id=invitation.id,
        organization_id=organization_id,
        user_id=derive_id(invitation.user_id),
        role=invitation.role,
        created_at=read_time(invitation.created_at, "$.data", "created_at")
        or time_from_ms(version),
        accepted_at=time_from_ms(version),
        version=version,
        version_timestamp=stamp.timestamp,
        version_event_id=stamp.event_id,
    )


def _snapshot(organization: Organization, stamp: Stamp, *, at: str) -> OrganizationRow:
    """Return a snapshot; one without a time, which older payloads nest, only names it."""
    if organization.updated_at is None:
        return OrganizationRow(id=derive_id(organization.id), clerk_id=organization.id)
    version = read_ms(organization.updated_at, f"{at}.updated_at")
    return OrganizationRow(
        id=derive_id(organization.id),
        clerk_id=organization.id,
        name=organization.name,
        slug=organization.slug,
        image_url=organization.image_url,
        public_metadata=read_json(organization.public_metadata, f"{at}.public_metadata"),
        status="active",
        created_at=read_time(organization.created_at, at, "created_at") or time_from_ms(version),
        updated_at=time_from_ms(version),
        version=version,
        version_timestamp=stamp.timestamp,
        version_event_id=stamp.event_id,
    )
