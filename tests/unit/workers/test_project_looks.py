"""From what somebody saw at Clerk to the rows it asks for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from schema.kafka.clerk import read_envelope
from schema.kafka.snapshots import ABSENCE, SNAPSHOT, write_absence, write_snapshot
from tests.factories import CREATED_MS, LOOKS, make_body, make_record
from workers.collapse import Batch
from workers.decode import decode
from workers.project import project
from workers.project.organizations import MembershipRow, OrganizationRow
from workers.project.sessions import FINAL_STATUSES, OPEN_STATUSES, SessionRow
from workers.project.users import DeletionRow, NameRow, UserRow

if TYPE_CHECKING:
    from workers.project.row import Row

RowT = TypeVar("RowT")
LOOKED_MS: Final = CREATED_MS + 10**9
"""When somebody looked: long after all that is recorded."""

LOOKED_AT: Final = datetime(2026, 1, 12, 13, 46, 40, tzinfo=UTC)
MEMBERSHIP: Final = "organizationMembership"


def _rows(kind: str, *, event_id: str = "look_1", **data: Any) -> tuple[Row, ...]:
    return project(read_envelope(make_body(kind, timestamp=LOOKED_MS, **data)), event_id)


def _one(kind: type[RowT], rows: tuple[Row, ...]) -> RowT:
    [found] = [row for row in rows if isinstance(row, kind)]
    return found


def test_a_user_is_as_old_as_their_updated_at() -> None:
    """When somebody looked tells only when the user was last heard of."""
    user, name = _rows(f"{SNAPSHOT}user", first_name="Ana", updated_at=CREATED_MS)

    assert isinstance(user, UserRow)
    assert isinstance(name, NameRow)
    assert (user.version, user.version_timestamp) == (CREATED_MS, 0)
    assert (name.version, name.version_timestamp) == (CREATED_MS, 0)
    assert (user.first_name, user.status, user.last_event_at) == ("Ana", "active", LOOKED_AT)


@pytest.mark.parametrize("timestamp", [0, CREATED_MS, None])
@pytest.mark.parametrize("kind", [f"{SNAPSHOT}user", f"{SNAPSHOT}organization"])
def test_a_webhook_of_the_same_version_wins(kind: str, timestamp: int | None) -> None:
    """Whatever time it is of, or none, and however late it comes."""
    body = json.loads(make_body(LOOKS[kind], updated_at=CREATED_MS, image_url="webhook"))
    body["timestamp"] = timestamp
    told = project(read_envelope(json.dumps(body).encode()), "msg_1")
    data = make_body(LOOKS[kind], updated_at=CREATED_MS, image_url="look")
    record = write_snapshot(
        "user" if kind.endswith("user") else "organization",
        bytes(read_envelope(data).data),
        looker="backfill",
        seen_ms=LOOKED_MS,
    )
    event = decode(make_record(record.value, headers=record.headers))

    for order in ([*told, *event.rows], [*event.rows, *told]):
        merged = Batch(order).of(type(told[0])).values()
        assert [getattr(row, "image_url", None) for row in merged] == ["webhook"]


@pytest.mark.parametrize("status", sorted(FINAL_STATUSES | OPEN_STATUSES))
def test_a_session_has_the_status_that_clerk_says(status: str) -> None:
    """Each of the eight that its Backend API knows."""
    session = _one(SessionRow, _rows(f"{SNAPSHOT}session", status=status))

    assert (session.status, session.version_timestamp) == (status, 0)


@pytest.mark.parametrize("status", ["suspended", "", None])
def test_an_unknown_status_ends_nothing_and_signs_nobody_in(status: str | None) -> None:
    """The next word of Clerk's can still say anything."""
    assert _one(SessionRow, _rows(f"{SNAPSHOT}session", status=status)).status == "pending"


def test_a_session_without_its_user_names_them() -> None:
    """Clerk's Backend API nests no user."""
    user = _one(UserRow, _rows(f"{SNAPSHOT}session"))

    assert (user.status, user.version, user.last_event_at) == ("pending", 0, LOOKED_AT)


@pytest.mark.parametrize("kind", [SNAPSHOT, ABSENCE])
def test_an_ended_session_stays_ended(kind: str) -> None:
    """Also where a newer webhook of it says that it is active."""
    ended = _one(SessionRow, _rows(f"{kind}session", status="ended"))
    active = _one(SessionRow, _rows("session.created", event_id="msg_1", updated_at=LOOKED_MS))

    assert ended.merge(active).status == active.merge(ended).status == ended.status


def test_an_absent_session_is_removed_and_keeps_how_it_began() -> None:
    """What is left to say of one that Clerk has forgotten need not know who acted, and when."""
    data = {"id": "sess_1", "user_id": "user_1", "updated_at": CREATED_MS + 5}
    record = write_absence(
        "session", json.dumps(data).encode(), looker="reconcile", clock_ms=LOOKED_MS
    )
    absent = _one(SessionRow, decode(make_record(record.value, headers=record.headers)).rows)
    known: dict[str, Any] = data | {"user": None}
    begun = _one(
        SessionRow,
        _rows("session.created", **known, actor={"sub": "user_2"}, created_at=CREATED_MS),
    )
    merged = begun.merge(absent)

    assert merged == absent.merge(begun)
    assert (absent.version, absent.version_timestamp) == (CREATED_MS + 5, 0)
    assert (merged.status, merged.impersonated) == ("removed", True)
    assert (merged.created_at, merged.device) == (begun.created_at, begun.device)


def test_clerks_own_end_of_a_session_is_believed_before_ours() -> None:
    """It knows how it ended, if it comes after all."""
    absent = _one(SessionRow, _rows(f"{ABSENCE}session", updated_at=LOOKED_MS))
    ended = _one(SessionRow, _rows("session.ended", event_id="msg_1", updated_at=LOOKED_MS))

    assert absent.merge(ended).status == "ended"


def test_an_absent_user_is_deleted_when_clerk_said_so() -> None:
    """By the clock of its answer."""
    user, deletion = _rows(f"{ABSENCE}user")

    assert isinstance(user, UserRow)
    assert isinstance(deletion, DeletionRow)
    assert (user.version, user.last_event_at) == (0, LOOKED_AT)
    assert (deletion.deleted_at, deletion.version_event_id) == (LOOKED_AT, "look_1")


def test_an_absent_organization_is_deleted_then_too() -> None:
    """Its version is that time, as with a deletion of Clerk's."""
    ended = _one(OrganizationRow, _rows(f"{ABSENCE}organization"))

    assert (ended.status, ended.deleted_at) == ("deleted", LOOKED_AT)
    assert (ended.version, ended.version_timestamp) == (LOOKED_MS, LOOKED_MS)


def test_an_absent_membership_ends_and_tells_nothing_of_the_organization() -> None:
    """What is known of that here may be old: it is named, no more."""
    rows = _rows(f"{ABSENCE}{MEMBERSHIP}", updated_at=CREATED_MS)
    membership, organization = _one(MembershipRow, rows), _one(OrganizationRow, rows)

    assert (membership.deleted_at, membership.version) == (LOOKED_AT, CREATED_MS)
    assert (membership.version_timestamp, membership.role) == (0, "org:member")
    assert (organization.version, organization.status) == (0, "pending")


def test_a_seen_membership_brings_its_organization() -> None:
    """As old as the organization's own updated_at."""
    rows = _rows(f"{SNAPSHOT}{MEMBERSHIP}", updated_at=CREATED_MS)
    membership, organization = _one(MembershipRow, rows), _one(OrganizationRow, rows)

    assert (membership.deleted_at, membership.version_timestamp) == (None, 0)
    assert (organization.status, organization.version_timestamp) == ("active", 0)
    assert organization.version > 0


@pytest.mark.parametrize(
    ("kind", "over", "field"),
    [
        ("user", {"updated_at": None}, "$.data.updated_at"),
        ("user", {"updated_at": 10**30}, "$.data.updated_at"),
        ("user", {"created_at": -1}, "$.data.created_at"),
        ("user", {"first_name": "a\x00"}, "$.data.first_name"),
        ("user", {"public_metadata": {"a": "\x00"}}, "$.data.public_metadata.*"),
        ("organization", {"updated_at": None}, "$.data"),
        ("organization", {"name": "\x00"}, "$.data.name"),
        (MEMBERSHIP, {"organization": None}, "$.data.organization"),
        (MEMBERSHIP, {"role": "\x00"}, "$.data.role"),
        ("session", {"updated_at": "now"}, "$.data.updated_at"),
        ("session", {"expire_at": 10**18}, "$.data.expire_at"),
    ],
)
def test_a_bad_field_is_named(kind: Any, over: dict[str, Any], field: str) -> None:
    """The record is dead, and the reason says where, once it came through the writer."""
    data = json.dumps(json.loads(make_body(f"{SNAPSHOT}{kind}", **over))["data"]).encode()
    record = write_snapshot(kind, data, looker="api", seen_ms=LOOKED_MS)
    reason = decode(make_record(record.value, headers=record.headers)).reason

    assert reason is not None
    assert reason.startswith(f"{field}: ")


def test_numbers_that_postgresql_cannot_hold_are_named() -> None:
    """They come through the writer as they are."""
    text = b'{"id":"user_1","updated_at":5,"public_metadata":{"a":1e999999}}'
    record = write_snapshot("user", text, looker="api", seen_ms=LOOKED_MS)
    reason = decode(make_record(record.value, headers=record.headers)).reason

    assert reason is not None
    assert reason.startswith("$.data.public_metadata.*: a number")


@pytest.mark.parametrize(
    ("looked", "own"),
    [
        (f"{SNAPSHOT}user", "user.updated"),
        (f"{SNAPSHOT}organization", "organization.updated"),
        (f"{SNAPSHOT}{MEMBERSHIP}", f"{MEMBERSHIP}.updated"),
        (f"{ABSENCE}user", "user.deleted"),
        (f"{ABSENCE}organization", "organization.deleted"),
        (f"{ABSENCE}{MEMBERSHIP}", f"{MEMBERSHIP}.deleted"),
        (f"{ABSENCE}session", "session.removed"),
    ],
)
def test_a_webhook_that_says_it_is_a_look_can_do_no_more_than_clerks_own(
    looked: str, own: str
) -> None:
    """Whoever can sign one can sign a deletion: the rows are the same, or decide less."""
    body = json.loads(make_body(looked, timestamp=LOOKED_MS))
    rows, theirs = (
        project(read_envelope(json.dumps(body | {"type": kind}).encode()), "msg_1")
        for kind in (looked, own)
    )

    assert [type(row) for row in rows] == [type(row) for row in theirs]
    for row, other in zip(rows, theirs, strict=True):
        assert row.id == other.id
        if row != other:
            assert getattr(row, "version_timestamp", 0) == 0
            assert row.merge(other) == other
