"""From an event about an organization to the rows it asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schema.kafka.clerk import MalformedEventError, read_envelope
from schema.postgres.ids import derive_id
from tests.factories import make_body
from workers.project import project
from workers.project.organizations import InvitationRow, MembershipRow, OrganizationRow
from workers.project.users import UserRow

NORTHWIND = "org_37Zqj7Mccp0HozpM2dyacMgfDIz"
TOMAS = "user_37ZqgGbqUKxHAn1fEGXV0B03q8R"


def _rows(sample: str, **data: Any) -> tuple[Any, ...]:
    return project(read_envelope(make_body(sample, **data)), "msg_1")


def test_an_organization_with_everything() -> None:
    """Each column has what Clerk says of it; what is private is left out."""
    [row] = _rows("organization.created", private_metadata={"secret": "s3cr3t"})

    assert row == OrganizationRow(
        id=derive_id(NORTHWIND),
        clerk_id=NORTHWIND,
        name="Northwind Robotics",
        slug="northwind-robotics",
        image_url=row.image_url,
        public_metadata=row.public_metadata,
        status="active",
        created_at=datetime(2026, 1, 1, 6, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, 6, tzinfo=UTC),
        version=1767247200000,
        version_timestamp=1767247200001,
        version_event_id="msg_1",
    )
    assert "s3cr3t" not in str(row)


def test_the_end_of_an_organization_leaves_the_id() -> None:
    """Name and picture are gone."""
    [row] = _rows("organization.deleted")

    assert (row.clerk_id, row.name, row.slug, row.status) == (NORTHWIND, None, None, "deleted")
    assert row.deleted_at == datetime(2026, 2, 9, tzinfo=UTC)


def test_a_membership_brings_its_organization_and_names_its_user() -> None:
    """The organization comes whole and with its age; of the user only the id is kept."""
    user, organization, membership = _rows("organizationMembership.created")

    assert isinstance(user, UserRow)
    assert (user.clerk_id, user.status, user.first_name) == (TOMAS, "pending", None)
    assert (organization.name, organization.version) == ("Northwind Robotics", 1767250800000)
    assert isinstance(membership, MembershipRow)
    assert (membership.organization_id, membership.user_id) == (organization.id, user.id)
    assert (membership.role, membership.deleted_at) == ("org:member", None)
    assert membership.permissions == '["org:sys_memberships:read","org:reports:read"]'


def test_an_organization_without_an_age_is_only_named() -> None:
    """Older payloads nest less."""
    _, organization, _ = _rows("organizationMembership.created", organization={"id": NORTHWIND})

    assert organization == OrganizationRow(id=derive_id(NORTHWIND), clerk_id=NORTHWIND)


def test_the_end_of_a_membership_is_known_by_the_type() -> None:
    """Its updated_at need not have moved."""
    *_, updated = _rows("organizationMembership.updated")
    *_, deleted = _rows("organizationMembership.deleted")

    assert updated.version == deleted.version
    assert deleted.deleted_at == datetime(2026, 1, 21, 9, tzinfo=UTC)
    assert updated.merge(deleted) == deleted.merge(updated) == deleted


def test_an_accepted_invitation_names_both_sides() -> None:
    """Its own row says when it was made and when it was accepted."""
    user, organization, invitation = _rows("organizationInvitation.accepted")

    assert (user.clerk_id, organization.clerk_id) == (TOMAS, NORTHWIND)
    assert (user.status, organization.status) == ("pending", "pending")
    assert isinstance(invitation, InvitationRow)
    assert invitation.created_at == datetime(2026, 1, 1, 7, tzinfo=UTC)
    assert invitation.accepted_at.timestamp() == 1767257999.996
    assert "tomas" not in str(invitation)


@pytest.mark.parametrize("fields", [{"without": ["user_id"]}, {"user_id": ""}, {"user_id": None}])
def test_an_invitation_accepted_by_nobody_changes_nothing(fields: dict[str, Any]) -> None:
    """Payloads before September 2025 do not say by whom."""
    assert _rows("organizationInvitation.accepted", **fields) == ()


@pytest.mark.parametrize(
    ("sample", "fields", "field"),
    [
        ("organizationMembership.created", {"without": ["organization"]}, "organization"),
        ("organizationMembership.created", {"without": ["public_user_data"]}, "public_user_data"),
        ("organizationMembership.created", {"permissions": [1]}, "permissions"),
        ("organization.updated", {"without": ["updated_at"]}, "updated_at"),
        ("organization.updated", {"name": "x" * 3000}, "name"),
        ("organizationInvitation.accepted", {"organization_id": ""}, "organization_id"),
    ],
)
def test_what_cannot_be_kept_is_named(sample: str, fields: dict[str, Any], field: str) -> None:
    """By its field."""
    with pytest.raises(MalformedEventError, match=field):
        _rows(sample, **fields)
