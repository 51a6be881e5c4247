"""Who may see what."""

from __future__ import annotations

from uuid import UUID

import pytest
from msgspec.structs import replace

from api.authorize import admit, is_admin, is_visible
from api.read import Standing
from schema.http.errors import HttpError
from schema.postgres.rows import Json, UsersRow
from schema.postgres.tables.users import USER_STATUSES

USER = UsersRow(
    id=UUID(int=1),
    clerk_id="user_1",
    email=None,
    email_verified=False,
    first_name=None,
    last_name=None,
    username=None,
    image_url=None,
    external_id=None,
    role="user",
    status="active",
    public_metadata=Json("{}"),
    last_sign_in_at=None,
    last_active_at=None,
    created_at=None,
    updated_at=None,
    deleted_at=None,
    version=0,
    version_timestamp=0,
    version_event_id="",
    signup_source=None,
    last_event_at=None,
    deletion_event_id=None,
    erase_at=None,
    held_status=None,
    restored_at=None,
)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("banned", "USER_BANNED"),
        ("deleted", "USER_DELETED"),
        ("deprovisioned", "USER_DEPROVISIONED"),
    ],
)
@pytest.mark.parametrize("role", ["user", "admin"])
def test_a_token_can_outlive_the_right_to_use_it(status: str, code: str, role: str) -> None:
    """Session tokens live a minute longer than the decision to end them; the role does not help."""
    with pytest.raises(HttpError) as caught:
        admit(Standing(role=role, status=status))

    assert (caught.value.status, caught.value.code) == (403, code)


@pytest.mark.parametrize("status", ["active", "locked", "pending"])
def test_everyone_else_is_let_in(status: str) -> None:
    """A lock is on signing in, not on sessions; a row that is pending says nothing yet."""
    admit(Standing(role="user", status=status))


def test_a_caller_without_a_row_is_let_in() -> None:
    """Their webhook may still be on its way."""
    admit(None)

    assert not is_admin(None)


def test_the_database_says_who_is_an_administrator() -> None:
    """Nothing else does."""
    assert is_admin(Standing(role="admin", status="active"))
    assert not is_admin(Standing(role="user", status="active"))


@pytest.mark.parametrize("status", USER_STATUSES)
def test_who_is_there_for_whom(status: str) -> None:
    """Pending and deleted users are there for administrators only."""
    user = replace(USER, status=status)

    assert is_visible(user, to=Standing(role="admin", status="active"))
    assert is_visible(user, to=None) == (status not in ("pending", "deleted"))
