"""Who may see what: pure decisions over rows of the database, never over claims of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.read import Standing
    from schema.postgres.rows import UsersRow

_SHUT_OUT: Final[Mapping[str, tuple[str, str]]] = {
    "banned": ("USER_BANNED", "This account is banned."),
    "deleted": ("USER_DELETED", "This account was deleted."),
    "deprovisioned": ("USER_DEPROVISIONED", "This account was removed by its organization."),
}
"""Status -> code and message for callers whose token outlives their right to use it.

`locked` is not among them: Clerk locks signing in, and leaves open sessions alone.
"""

_ABSENT: Final = ("pending", "deleted")


def admit(standing: Standing | None) -> None:
    """Let the caller in, also one whose row has not arrived yet. Raises HttpError 403."""
    if standing is not None and standing.status in _SHUT_OUT:
        code, message = _SHUT_OUT[standing.status]
        raise HttpError(code, message)


def is_admin(standing: Standing | None) -> bool:
    """Say whether the database calls the caller an administrator."""
    return standing is not None and standing.role == "admin"


def is_visible(user: UsersRow, *, to: Standing | None) -> bool:
    """Say whether `user` is there for the caller; administrators also see tombstones."""
    return user.status not in _ABSENT or is_admin(to)
