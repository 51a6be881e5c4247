"""Look directly at one user at Clerk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from schema.clerk.errors import ClerkRefusedError

if TYPE_CHECKING:
    from schema.clerk.client import Answer, Clerk

_LEAD_ELSEWHERE: Final = frozenset({"", ".", "..", "count"})


async def find_user(clerk: Clerk, user_id: str) -> Answer:
    """Return what Clerk has of a user: the User as JSON.

    Raises NotAtClerkError, ClerkRefusedError, ClerkUnavailableError.
    """
    return await clerk.get(f"/users/{as_segment(user_id)}")


def as_segment(clerk_id: str) -> str:
    """Return an id as a part of a path. Raises ClerkRefusedError for what would be another path."""
    if clerk_id in _LEAD_ELSEWHERE:
        raise ClerkRefusedError(404)
    return quote(clerk_id, safe="")
