"""Look directly at one thing at Clerk: what it has of it, or NotAtClerkError.

Each raises ClerkRefusedError and ClerkUnavailableError too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from deploy.clerk.page import read_wrapped
from schema.clerk.client import ClerkUnavailableError, NotAtClerkError
from schema.clerk.find import as_segment, find_user

if TYPE_CHECKING:
    from schema.clerk.client import Answer, Clerk

__all__ = [
    "Instance",
    "find_membership",
    "find_organization",
    "find_session",
    "find_user",
    "read_instance",
]


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """To which instance the secret key belongs."""

    id: str
    """ins_…, as in every webhook's envelope."""
    environment_type: str
    """development, staging or production."""


async def find_organization(clerk: Clerk, organization_id: str) -> Answer:
    """Return what Clerk has of an organization."""
    return await clerk.get(f"/organizations/{as_segment(organization_id)}")


async def find_membership(clerk: Clerk, organization_id: str, user_id: str) -> Answer:
    """Return what Clerk has of a user's membership in an organization."""
    path = f"/organizations/{as_segment(organization_id)}/memberships"
    answer = await clerk.get(path, {"user_id": user_id, "limit": 1})
    items = read_wrapped(answer)
    if not len(items):
        raise NotAtClerkError(answer.clock_ms)
    return replace(answer, body=(items.things + items.unreadable)[0])


async def find_session(clerk: Clerk, session_id: str) -> Answer:
    """Return what Clerk has of a session; old ones it forgets."""
    return await clerk.get(f"/sessions/{as_segment(session_id)}")


async def read_instance(clerk: Clerk) -> Instance:
    """Return to which instance the secret key belongs."""
    answer = await clerk.get("/instance")
    try:
        return msgspec.json.decode(answer.body, type=Instance)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ClerkUnavailableError("Clerk does not say which instance it is") from None
