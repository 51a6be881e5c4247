"""Who may see what: pure decisions over rows of the database, never over claims of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.read.standings import Standing
from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from api.admit import Viewer
    from api.read.organizations import Organization, OwnMembership
    from api.read.posts import Post

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


def is_visible(status: str, *, sees_all: bool) -> bool:
    """Say whether a user is there for the caller; who sees all also sees tombstones."""
    return sees_all or status not in _ABSENT


def demand_user(status: str | None, user_id: UUID, *, viewer: Viewer, stub: bool = False) -> None:
    """Go on where the user with this status, None without a row, is there for the caller.

    With `stub` one's own row will do before its webhook has come. Raises HttpError: 404, always the
    same for what is not there and what the caller may not know of, or 403 as `admit`, whose own
    row, just read, is newer than what they were let in on.
    """
    own = viewer.owns(user_id)
    if status is not None and own:
        admit(Standing(role="user", status=status))
    if status is None or not (is_visible(status, sees_all=viewer.sees_all) or (own and stub)):
        raise user_not_found(own=own)


def demand_own(user_id: UUID, *, viewer: Viewer) -> None:
    """Go on where this is the caller's own business, or they see all. Raises HttpError 403.

    Whether there is such a user, nobody else learns here.
    """
    if not (viewer.owns(user_id) or viewer.sees_all):
        raise HttpError("FORBIDDEN", "This is another user's own business.")


def may_see_post(viewer: Viewer, post: Post) -> bool:
    """Say whether a post that is there is there for the caller."""
    return post.status == "published" or viewer.owns(post.author.id) or viewer.sees_all


def may_see_organization(
    viewer: Viewer, organization: Organization, membership: OwnMembership | None
) -> bool:
    """Say whether an organization is there for the caller: a living one for its members."""
    return viewer.sees_all or (membership is not None and organization.status not in _ABSENT)


def may_see_event(viewer: Viewer, *, about: str | None) -> bool:
    """Say whether the caller may see an event about this user, by Clerk's id, or about none."""
    return viewer.sees_all or about == viewer.caller.clerk_id


def user_not_found(*, own: bool) -> HttpError:
    """Return the error of a user who is not there; the caller's own may come soon."""
    if own:
        return HttpError(
            "USER_NOT_FOUND",
            "Your user is not here yet: Clerk's webhook may still be on its way.",
            headers={"Retry-After": "1"},
        )
    return HttpError("USER_NOT_FOUND", "There is no such user.")
