"""Rows as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from msgspec.structs import replace

from api.present import (
    FULL,
    PUBLIC,
    encode,
    present_page,
    present_profile,
    present_user,
    tag,
    write_time,
)
from api.read.profiles import Profile
from schema.postgres.contracts import DECISIONS, PublicProfile, User
from schema.postgres.rows import Json, UsersRow

ADA = UsersRow(
    id=UUID("6f1c3f0e-6f0c-5b60-9a44-6b1f0d0c5a11"),
    clerk_id="user_1",
    email="ada@example.com",
    email_verified=True,
    first_name="Ada",
    last_name="Lovelace",
    username=None,
    image_url="https://img.example.com/ada",
    external_id="42",
    role="user",
    status="active",
    public_metadata=Json('{"n": 12345678901234567890123, "x": 1.10}'),
    last_sign_in_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    last_active_at=None,
    created_at=datetime(2026, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC),
    updated_at=datetime(2026, 1, 2, tzinfo=UTC),
    deleted_at=None,
    version=1_767_312_000_000,
    version_timestamp=1_767_312_000_001,
    version_event_id="msg_1",
    signup_source="clerk",
    last_event_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    deletion_event_id=None,
    erase_at=None,
    held_status=None,
    restored_at=datetime(2026, 1, 30, tzinfo=UTC),
)
HELD = replace(
    ADA,
    role="admin",
    status="deleted",
    deleted_at=datetime(2026, 2, 1, 0, 0, 0, 123_000, tzinfo=UTC),
    deletion_event_id="msg_2",
    erase_at=datetime(2026, 3, 3, tzinfo=UTC),
    held_status="active",
)
ERASED = UsersRow(
    id=ADA.id,
    clerk_id=ADA.clerk_id,
    email=None,
    email_verified=False,
    first_name=None,
    last_name=None,
    username=None,
    image_url=None,
    external_id=None,
    role="user",
    status="deleted",
    public_metadata=Json("{}"),
    last_sign_in_at=None,
    last_active_at=None,
    created_at=None,
    updated_at=None,
    deleted_at=HELD.deleted_at,
    version=1_769_904_000_123,
    version_timestamp=1_769_904_000_123,
    version_event_id="msg_2",
    signup_source=None,
    last_event_at=None,
    deletion_event_id="msg_2",
    erase_at=None,
    held_status=None,
    restored_at=None,
)


def test_others_see_a_public_profile() -> None:
    """Nothing but what a byline or an avatar needs."""
    assert json.loads(encode(present_user(ADA, fully=False))) == {
        "id": "6f1c3f0e-6f0c-5b60-9a44-6b1f0d0c5a11",
        "clerk_id": "user_1",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "username": None,
        "image_url": "https://img.example.com/ada",
        "created_at": "2026-01-01T00:00:00.999Z",
    }


def test_a_user_sees_everything_of_themselves() -> None:
    """Except what is internal; and `version` is a number."""
    shown = json.loads(encode(present_user(ADA, fully=True)))

    assert set(UsersRow.__struct_fields__) - set(shown) == set(DECISIONS["users"].internal)
    assert shown["email"] == "ada@example.com"
    assert shown["last_sign_in_at"] == "2026-01-31T12:00:00.000Z"
    assert shown["deleted_at"] is None
    assert shown["version"] == 1_767_312_000_000


@pytest.mark.parametrize("fully", [True, False])
def test_what_is_held_back_looks_erased(*, fully: bool) -> None:
    """To the byte, so that nothing changes when the data goes; nobody learns that it is there."""
    held = encode(present_user(HELD, fully=fully))

    assert held == encode(present_user(ERASED, fully=fully))


def test_of_the_deleted_is_told_that_they_were() -> None:
    """And when; the rest is what a tombstone has, in a row of the table as well as here."""
    shown = json.loads(encode(present_user(HELD, fully=True)))
    told = {name: value for name, value in shown.items() if value is not None}

    assert told == {
        "id": str(ADA.id),
        "clerk_id": "user_1",
        "email_verified": False,
        "role": "user",
        "status": "deleted",
        "public_metadata": {},
        "deleted_at": "2026-02-01T00:00:00.123Z",
        "version": 1_769_904_000_123,
    }
    assert {name: getattr(ERASED, name) for name in shown.keys() - told.keys()} == dict.fromkeys(
        shown.keys() - told.keys()
    )


def test_metadata_keeps_every_digit() -> None:
    """No parser of ours stands between PostgreSQL's JSON and the caller's."""
    body = encode(present_user(ADA, fully=True))

    assert b'"public_metadata":{"n": 12345678901234567890123, "x": 1.10}' in body


@pytest.mark.parametrize(("contract", "fully"), [(PublicProfile, False), (User, True)])
def test_what_is_shown_is_the_contract(contract: type[PublicProfile], *, fully: bool) -> None:
    """Whoever reads answers with the contract gets what the row holds."""
    read = contract.model_validate_json(encode(present_user(ADA, fully=fully)))

    assert (read.id, read.clerk_id, read.first_name) == (ADA.id, ADA.clerk_id, ADA.first_name)


def test_what_is_public_is_a_part_of_the_whole() -> None:
    """No field is shown to strangers and not to its owner, none twice."""
    assert set(PUBLIC) < set(FULL)
    assert len(set(FULL)) == len(FULL)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00.000Z"),
        (
            datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-30T23:00:00.000Z",
        ),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_utc_to_the_millisecond(moment: datetime, text: str) -> None:
    """One spelling for every time."""
    assert write_time(moment) == text


def test_a_list_says_whether_there_is_more() -> None:
    """`next_cursor` is always there, and null at the end."""
    assert encode(present_page([], next_cursor=None)) == b'{"data":[],"next_cursor":null}'


def test_a_tag_names_the_bytes() -> None:
    """Equal bodies have equal tags, others have others."""
    assert tag(b"a") == tag(b"a") != tag(b"b")


@pytest.mark.parametrize("user", [ADA, replace(ADA, created_at=None, username="ada")])
def test_profiles_are_the_same_either_way(user: UsersRow) -> None:
    """Read alone or as part of the whole row, what others see is the same to the byte."""
    profile = Profile(*(getattr(user, name) for name in Profile._fields))

    assert encode(present_profile(profile)) == encode(present_user(user, fully=False))
