"""From an event to the row it asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schema.kafka.clerk import read_envelope
from schema.postgres.ids import derive_id
from tests.factories import make_body
from workers.project import UserRow, project

PRIMARY = "idn_37ZqcVsu7nXCOjHmhN5AgsqMnHd"


def _row(sample: str, **data: Any) -> UserRow:
    row = project(read_envelope(make_body(sample, **data)), "msg_1")
    assert row is not None
    return row


def test_a_user_with_everything() -> None:
    """Each column has what Clerk says of it."""
    row = _row("user.updated")

    assert row == UserRow(
        id=derive_id("user_37Zqj8lsjnXARgl7WaUPS8yKPjg"),
        clerk_id="user_37Zqj8lsjnXARgl7WaUPS8yKPjg",
        email="nadia.quill@example.com",
        email_verified=True,
        first_name="Nadia",
        last_name="Quill-Hart",
        username="nadiaq",
        image_url=row.image_url,
        external_id="crm-48213",
        role=row.role,
        status="active",
        public_metadata=row.public_metadata,
        last_sign_in_at=datetime(2026, 1, 4, 6, 34, tzinfo=UTC),
        last_active_at=datetime(2026, 1, 3, 11, 0, tzinfo=UTC),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 4, 7, 0, tzinfo=UTC),
        deleted_at=None,
        version=1767510000000,
        version_timestamp=1767510000012,
        version_event_id="msg_1",
    )


def test_the_primary_address_is_the_named_one() -> None:
    """The first of several addresses need not be the primary one."""
    addresses = [
        {"id": "idn_other", "email_address": "other@example.com", "verification": None},
        {"id": PRIMARY, "email_address": "primary@example.com", "verification": None},
    ]
    row = _row("user.created", email_addresses=addresses)

    assert (row.email, row.email_verified) == ("primary@example.com", False)


def test_a_user_can_have_no_address() -> None:
    """Phone-only users exist."""
    row = _row("user.created.phone")

    assert (row.email, row.email_verified) == (None, False)


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "active"),
        ({"locked": True}, "locked"),
        ({"deprovisioned": True, "locked": True}, "deprovisioned"),
        ({"banned": True, "deprovisioned": True, "locked": True}, "banned"),
    ],
)
def test_the_gravest_status_counts(flags: dict[str, bool], status: str) -> None:
    """Clerk sends flags, not events, for bans, directory removals and locks."""
    assert _row("user.created", **flags).status == status


@pytest.mark.parametrize(
    ("metadata", "role"),
    [
        ({"role": "admin"}, "admin"),
        ({"role": "owner"}, "user"),
        ({"role": ["admin"]}, "user"),
        ({}, "user"),
        (None, "user"),
    ],
)
def test_the_role_comes_from_public_metadata(metadata: object, role: str) -> None:
    """Only the word admin makes an admin."""
    assert _row("user.created", public_metadata=metadata).role == role


def test_private_metadata_goes_nowhere() -> None:
    """What Clerk calls private is in no column."""
    row = _row("user.created", private_metadata={"secret": "s3cr3t"})

    assert "s3cr3t" not in json.dumps(row, default=str)


def test_a_tombstone_keeps_nothing_of_the_person() -> None:
    """All that stays of a deleted user is the id and the time."""
    row = _row("user.deleted")
    told = {name: value for name, value in row._asdict().items() if value}

    assert told == {
        "id": derive_id("user_37Zqj8lsjnXARgl7WaUPS8yKPjg"),
        "clerk_id": "user_37Zqj8lsjnXARgl7WaUPS8yKPjg",
        "role": "user",
        "status": "deleted",
        "public_metadata": "{}",
        "deleted_at": datetime(2026, 2, 10, tzinfo=UTC),
        "version": 1770681600000,
        "version_timestamp": 1770681600000,
        "version_event_id": "msg_1",
    }


def test_seconds_are_taken_for_seconds() -> None:
    """Clerk's own examples have 10-digit timestamps."""
    body = make_body("user.deleted", timestamp=1770681600)
    row = project(read_envelope(body), "msg_1")

    assert row is not None
    assert row.deleted_at == datetime(2026, 2, 10, tzinfo=UTC)


def test_other_types_change_nothing() -> None:
    """Sessions, organizations and the rest ask for no row of users."""
    assert project(read_envelope(make_body("session.created")), "msg_1") is None
