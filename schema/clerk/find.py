"""Look directly at one user at Clerk."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from schema.clerk.client import Answer, Clerk


async def find_user(clerk: Clerk, user_id: str) -> Answer:
    """Return what Clerk has of a user: the User as JSON.

    Raises NotAtClerkError, ClerkRefusedError, ClerkUnavailableError.
    """
    return await clerk.get(f"/users/{quote(user_id, safe='')}")
