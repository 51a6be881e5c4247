"""The model of the order proof, pinned by examples worked out by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schema.kafka.snapshots import ABSENCE, SNAPSHOT
from schema.postgres.ids import derive_id
from tests.factories import CREATED_MS, make_body, user_event
from tests.integration.workers.order.facts import Told
from tests.integration.workers.order.histories import make_look
from tests.integration.workers.order.model import expected_tables

if TYPE_CHECKING:
    from tests.integration.workers.order.shapes import Tables

NADIA = "user_37Zqj8lsjnXARgl7WaUPS8yKPjg"
TOMAS = "user_37ZqgGbqUKxHAn1fEGXV0B03q8R"
NORTHWIND = derive_id("org_37Zqj7Mccp0HozpM2dyacMgfDIz")


def _told(event_id: str, body: bytes, subject: str | None = NADIA) -> Told:
    return Told(event_id=event_id, body=json.loads(body), subject=subject)


def _sampled(*names: str) -> list[Told]:
    return [_told(f"msg_{name}", make_body(name)) for name in names]


def _named(event_id: str, at: int, first_name: str | None) -> Told:
    return _told(event_id, user_event(NADIA, at=at, first_name=first_name, last_name=None))


def _user_data(tables: Tables, user: str = NADIA) -> dict[str, Any]:
    rows = tables["user_data"].values()
    return {row["key"]: row["value"] for row in rows if row["user_id"] == derive_id(user)}


def _user(tables: Tables, user: str = NADIA) -> dict[str, Any]:
    return tables["users"][derive_id(user),]


def test_the_recorded_life_of_nadia() -> None:
    """Three sign-ins, one renaming, and the latest activity of user and sessions."""
    sessions = ("session.created", "session.ended", "session.removed", "session.revoked")
    data = _user_data(expected_tables(_sampled("user.created", "user.updated", *sessions)))

    assert data == {
        "session_count": 3,
        "login_history": [
            {"timestamp": "2026-01-03T00:00:00.000Z", "success": True},
            {"timestamp": "2026-01-02T00:00:00.000Z", "success": True},
            {
                "timestamp": "2026-01-01T00:00:00.060Z",
                "device": "Chrome on Macintosh",
                "ip": "203.0.113.24",
                "success": True,
            },
        ],
        "name_history": [
            {
                "first_name": "Nadia",
                "last_name": "Quill-Hart",
                "timestamp": "2026-01-04T07:00:00.000Z",
            },
            {"first_name": "Nadia", "last_name": "Quill", "timestamp": "2026-01-01T00:00:00.015Z"},
        ],
        "last_active": "2026-01-03T11:00:00.000Z",
        "last_clerk_sync": "2026-01-04T07:00:00.012Z",
        "signup_date": "2026-01-01T00:00:00.000Z",
        "signup_source": "clerk",
    }


def test_a_name_that_comes_back_is_told_again() -> None:
    """A, B, A are three entries, the newest first, and a repeated name is none."""
    names = [(0, "A"), (10, "B"), (20, "B"), (30, "A")]
    events = [_named(f"msg_{at}", at, name) for at, name in names]
    history = _user_data(expected_tables(events))["name_history"]

    assert [(each["first_name"], each["timestamp"][-4:]) for each in history] == [
        ("A", "030Z"),
        ("B", "010Z"),
        ("A", "000Z"),
    ]


def test_one_millisecond_has_one_name() -> None:
    """Of two snapshots of one version the greater svix-id, bytewise, has the last word."""
    tables = expected_tables([_named("msg_a", 5, "Lower"), _named("msg_B", 5, "Upper")])
    [row] = tables["user_names"].values()

    assert (row["first_name"], row["version_event_id"]) == ("Lower", "msg_a")
    assert _user(tables)["first_name"] == "Lower"


def test_a_deletion_leaves_a_tombstone_whatever_else_there_is() -> None:
    """An erased user has a bare row, and only the deletion says in the ledger whom it is about."""
    tables = expected_tables(_sampled("user.deleted", "user.created", "session.created"))
    row = _user(tables)
    left = {key: value for key, value in row.items() if value not in (None, False, {})}

    assert left == {
        "id": derive_id(NADIA),
        "clerk_id": NADIA,
        "role": "user",
        "status": "deleted",
        "deleted_at": datetime(2026, 2, 10, tzinfo=UTC),
        "deletion_event_id": "msg_user.deleted",
        "version": 1770681600000,
        "version_timestamp": 1770681600000,
        "version_event_id": "msg_user.deleted",
    }
    assert not any(tables[table] for table in ("sessions", "user_names", "user_data"))
    assert [row["clerk_user_id"] for row in tables["events"].values()] == [NADIA, None, None]


def test_a_deletion_held_back_hides_and_keeps() -> None:
    """A held user keeps everything but the status, which waits beside."""
    events = _sampled("user.created", "user.deleted", "session.created")
    tables = expected_tables(events, held=True)
    row = _user(tables)

    assert (row["status"], row["held_status"], row["erase_at"]) == ("deleted", "active", True)
    assert (row["email"], row["version"]) == ("nadia.quill@example.com", 1767225600071)
    assert _user_data(tables)["last_clerk_sync"] == "2026-02-10T00:00:00.000Z"


def test_who_accepts_an_invitation_signed_up_by_it_unless_it_came_later() -> None:
    """An invitation made after the user is none to sign up by."""
    for made, source in ((1767243600000, "invite"), (1767243600001, "clerk")):
        invitation = make_body("organizationInvitation.accepted", created_at=made)
        user = _told("msg_1", make_body("user.created.oauth"), TOMAS)
        tables = expected_tables([user, _told("msg_2", invitation, TOMAS)])

        assert _user_data(tables, TOMAS)["signup_source"] == source
        assert tables["organizations"][NORTHWIND,]["status"] == "pending"


def test_an_organization_ends_with_its_memberships() -> None:
    """A membership of a deleted organization is no row; its member is a stub all the same."""
    created = _told("msg_1", make_body("organizationMembership.created"), TOMAS)
    ended = _told("msg_2", make_body("organization.deleted"), None)
    tables = expected_tables([ended, created])

    assert len(expected_tables([created])["organization_memberships"]) == 1
    assert tables["organization_memberships"] == {}
    assert tables["organizations"][NORTHWIND,]["status"] == "deleted"
    assert _user(tables, TOMAS)["status"] == "pending"
    assert _user_data(tables, TOMAS)["session_count"] == 0
    assert "signup_date" not in _user_data(tables, TOMAS)


def test_a_final_session_stays_final() -> None:
    """What is ended is ended, whatever a newer event of the session says."""
    late = make_body("session.created", updated_at=CREATED_MS + 10**10, timestamp=None)
    tables = expected_tables([*_sampled("session.ended"), _told("msg_late", late)])
    [row] = tables["sessions"].values()

    assert row["status"] == "ended"
    assert row["activity_event_id"] == "msg_late"


def test_bad_and_foreign_events_change_nothing() -> None:
    """A time that is none is dead; a type that projects nothing is ignored."""
    bad = _told("msg_1", user_event(NADIA, at=0, updated_at="yesterday"))
    nul = _told("msg_2", user_event(NADIA, at=0, first_name="a\x00b"))
    other = _told("msg_3", make_body("session.created", user_id="user_other"))
    mail = _told("msg_4", make_body("email.created"))
    tables = expected_tables([bad, nul, other, mail])

    assert tables["users"] == {}
    assert [row["outcome"] for row in tables["events"].values()] == [*["dead"] * 3, "ignored"]


def test_a_look_never_beats_a_webhook_that_is_as_new() -> None:
    """Not even one that names no time; one that saw something newer does."""
    body = json.loads(user_event(NADIA, at=5, first_name="Told"))
    del body["timestamp"]
    told = Told(event_id="msg_1", body=body, subject=NADIA)
    for at, name in ((5, "Told"), (6, "Seen")):
        data = json.loads(user_event(NADIA, at=at, first_name="Seen"))["data"]
        look = make_look(f"{SNAPSHOT}user", data, at=CREATED_MS + 10**9)
        tables = expected_tables([look, told])

        assert _user(tables)["first_name"] == name
        assert _user_data(tables)["last_clerk_sync"] == "2026-01-12T13:46:40.000Z"


def test_who_is_gone_at_clerk_is_deleted_unless_restored_later() -> None:
    """An absence counts by Clerk's clock, like a deletion."""
    created = _sampled("user.created")
    gone = make_look(f"{ABSENCE}user", {"id": NADIA}, at=CREATED_MS + 50)
    [row] = expected_tables([*created, gone])["users"].values()

    assert (row["status"], row["version"]) == ("deleted", CREATED_MS + 50)
    for until, status in ((49, "deleted"), (50, "active")):
        restored = {NADIA: CREATED_MS + until}
        held = expected_tables([*created, gone], held=True, restored=restored)

        assert _user(held)["status"] == status


def test_a_session_that_clerk_has_forgotten_is_removed_and_began_as_it_did() -> None:
    """The absence knows less than the webhook: when it began, and who acted, stays."""
    [told] = _sampled("session.created")
    known = {name: told.body["data"][name] for name in ("id", "user_id", "updated_at")}
    gone = make_look(f"{ABSENCE}session", known, at=CREATED_MS + 10**9)
    [row] = expected_tables([gone, told])["sessions"].values()

    assert (row["status"], row["device"]) == ("removed", "Chrome on Macintosh")
    assert row["created_at"] == datetime(2026, 1, 1, 0, 0, 0, 60_000, tzinfo=UTC)
