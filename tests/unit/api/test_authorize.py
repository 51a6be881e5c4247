"""Who may see what."""

from __future__ import annotations

import pytest

from api.authorize import admit, is_admin, is_visible
from api.read import Standing
from schema.http.errors import HttpError
from schema.postgres.tables.users import USER_STATUSES


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
    assert is_visible(status, sees_all=True)
    assert is_visible(status, sees_all=False) == (status not in ("pending", "deleted"))
