"""From a session event to the rows it asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schema.kafka.clerk import MalformedEventError, read_envelope
from schema.postgres.ids import derive_id
from tests.factories import make_body
from workers.project import project
from workers.project.sessions import SessionRow
from workers.project.users import NameRow, UserRow

NADIA = "user_37Zqj8lsjnXARgl7WaUPS8yKPjg"


def _session(sample: str, **data: Any) -> SessionRow:
    row = project(read_envelope(make_body(sample, **data)), "msg_1")[-1]
    assert isinstance(row, SessionRow)
    return row


def test_a_session_with_everything() -> None:
    """Each column has what Clerk says of it."""
    assert _session("session.created") == SessionRow(
        id=derive_id("sess_37Zq2ShE0MluWkTff9FZw1nyC4I"),
        clerk_id="sess_37Zq2ShE0MluWkTff9FZw1nyC4I",
        user_id=derive_id(NADIA),
        status="active",
        impersonated=False,
        device="Chrome on Macintosh",
        ip_address="203.0.113.24",
        last_active_at=datetime(2026, 1, 1, 0, 0, 0, 60_000, tzinfo=UTC),
        expire_at=datetime(2026, 1, 8, 0, 0, 0, 60_000, tzinfo=UTC),
        abandon_at=datetime(2026, 1, 31, 0, 0, 0, 60_000, tzinfo=UTC),
        created_at=datetime(2026, 1, 1, 0, 0, 0, 60_000, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, 0, 0, 0, 98_000, tzinfo=UTC),
        version=1767225600098,
        version_timestamp=1767225600104,
        version_event_id="msg_1",
        activity_version=1767225600098,
        activity_event_id="msg_1",
    )


def test_the_nested_user_is_a_snapshot_of_its_own_age() -> None:
    """It goes through the same guard as user.updated: by the user's updated_at."""
    user, name, _ = project(read_envelope(make_body("session.created")), "msg_1")

    assert isinstance(user, UserRow)
    assert isinstance(name, NameRow)
    assert (user.version, user.version_timestamp) == (1767225600071, 1767225600104)
    assert (user.clerk_id, user.status, name.version) == (NADIA, "active", 1767225600071)


@pytest.mark.parametrize("fields", [{"without": ["user"]}, {"user": None}])
def test_without_a_nested_user_there_is_a_stub(fields: dict[str, Any]) -> None:
    """Payloads before November 2025 nest none: the session still belongs to somebody."""
    user, session = project(read_envelope(make_body("session.created", **fields)), "msg_1")

    assert isinstance(user, UserRow)
    assert isinstance(session, SessionRow)
    assert (user.id, user.status, user.version_event_id) == (session.user_id, "pending", "")


def test_the_nested_user_is_the_sessions_user() -> None:
    """Another one is no user whom this event can speak of."""
    with pytest.raises(MalformedEventError, match=r"\$\.data\.user\.id"):
        _session("session.created", user_id="user_else")


@pytest.mark.parametrize(
    ("sample", "said", "status"),
    [
        ("session.created", "active", "active"),
        ("session.created", "pending", "pending"),
        ("session.created", "a word of next year", "active"),
        ("session.pending", None, "pending"),
        ("session.pending", "active", "active"),
        ("session.ended", "active", "ended"),
        ("session.removed", "ended", "removed"),
        ("session.revoked", None, "revoked"),
    ],
)
def test_an_end_is_known_by_the_type(sample: str, said: str | None, status: str) -> None:
    """Everything else by the status, where that is one we know."""
    assert _session(sample, status=said).status == status


@pytest.mark.parametrize(
    ("activity", "device", "ip_address"),
    [
        (None, None, None),
        ({}, None, None),
        ({"browser_name": "Safari", "ip_address": ""}, "Safari", None),
        ({"device_type": "iPhone", "ip_address": "2001:db8::1"}, "iPhone", "2001:db8::1"),
        ({"browser_name": "", "device_type": ""}, None, None),
    ],
)
def test_a_device_is_what_is_known_of_it(
    activity: dict[str, str] | None, device: str | None, ip_address: str | None
) -> None:
    """An empty word is none."""
    row = _session("session.created", latest_activity=activity)

    assert (row.device, row.ip_address) == (device, ip_address)
    assert (row.activity_version is None) == (activity is None)


def test_acting_as_somebody_is_told() -> None:
    """`actor` names the impersonator; the session is still the user's."""
    row = _session("session.created", actor={"sub": "user_support"})

    assert (row.impersonated, row.user_id) == (True, derive_id(NADIA))
