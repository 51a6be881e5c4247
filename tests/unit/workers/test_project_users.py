"""From an event about a user to the rows it asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schema.kafka.clerk import MalformedEventError, read_envelope
from schema.postgres.ids import derive_id
from tests.factories import CREATED_MS, make_body
from workers.project import project
from workers.project.users import DeletionRow, NameRow, UserRow

PRIMARY = "idn_37ZqcVsu7nXCOjHmhN5AgsqMnHd"


def _row(sample: str, **data: Any) -> UserRow:
    row, *_ = project(read_envelope(make_body(sample, **data)), "msg_1")
    assert isinstance(row, UserRow)
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
        version=1767510000000,
        version_timestamp=1767510000012,
        version_event_id="msg_1",
        signup_source="clerk",
        last_event_at=datetime(2026, 1, 4, 7, 0, 0, 12_000, tzinfo=UTC),
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


def test_a_snapshot_tells_the_name_of_its_version() -> None:
    """Beside the row of users, for name_history."""
    _, name = project(read_envelope(make_body("user.updated")), "msg_1")

    assert name == NameRow(
        user_id=derive_id("user_37Zqj8lsjnXARgl7WaUPS8yKPjg"),
        version=1767510000000,
        version_timestamp=1767510000012,
        version_event_id="msg_1",
        first_name="Nadia",
        last_name="Quill-Hart",
    )


def test_a_deletion_names_its_user_and_the_time() -> None:
    """The event has no more than that."""
    named, deletion = project(read_envelope(make_body("user.deleted")), "msg_1")
    key = derive_id("user_37Zqj8lsjnXARgl7WaUPS8yKPjg")
    at = datetime(2026, 2, 10, tzinfo=UTC)

    assert deletion == DeletionRow(id=key, deleted_at=at, version_event_id="msg_1")
    assert named == UserRow(id=key, clerk_id="user_37Zqj8lsjnXARgl7WaUPS8yKPjg", last_event_at=at)


def test_seconds_are_taken_for_seconds() -> None:
    """Clerk's own examples have 10-digit timestamps."""
    body = make_body("user.deleted", timestamp=1770681600)
    _, deletion = project(read_envelope(body), "msg_1")

    assert isinstance(deletion, DeletionRow)
    assert deletion.deleted_at == datetime(2026, 2, 10, tzinfo=UTC)


def _address(strategy: str | None, created_at: int | None = CREATED_MS - 10) -> dict[str, Any]:
    verification = {"status": "verified", "strategy": strategy} if strategy else None
    return {"id": "idn_1", "email_address": "a@example.com", "verification": verification} | (
        {"created_at": created_at} if created_at else {}
    )


@pytest.mark.parametrize(
    ("addresses", "source"),
    [
        ([], "clerk"),
        ([_address("email_code")], "clerk"),
        ([_address(None)], "clerk"),
        ([_address("ticket")], "invite"),
        ([_address("admin")], "admin"),
        ([_address("admin"), _address("ticket")], "invite"),
        ([_address("ticket", CREATED_MS)], "invite"),
        ([_address("ticket", CREATED_MS + 1)], "clerk"),
        ([_address("admin", None)], "clerk"),
    ],
)
def test_how_a_user_came_is_read_off_the_oldest_addresses(
    addresses: list[dict[str, Any]], source: str
) -> None:
    """By how those were verified that are as old as the user; later ones say nothing."""
    assert _row("user.created", email_addresses=addresses).signup_source == source
    assert _row("user.created", email_addresses=[], phone_numbers=addresses).signup_source == source


@pytest.mark.parametrize("sample", ["email.created", "role.created", "subscription.created"])
def test_other_types_change_nothing(sample: str) -> None:
    """They ask for no row."""
    assert project(read_envelope(make_body(sample)), "msg_1") == ()


def test_who_else_a_user_is_named_by() -> None:
    """The id of a body is taken as it stands, as long as an index, a header and a log take it."""
    for bad in ("", "user 1", "user_1\n", "x" * 129, "ü"):
        with pytest.raises(MalformedEventError, match=r"^\$\.data\.id: "):
            _row("user.created", id=bad)
