"""Look directly whether Clerk has one thing: what nobody named may be only late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from multidict import MultiDict

from deploy.clerk.find import find_membership, find_organization, find_session, find_user
from deploy.clerk.page import read_list
from schema.clerk.client import NotAtClerkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from schema.clerk.client import Answer, Clerk

    Suspect = Mapping[str, Any] | asyncpg.Record

MANY: Final = 100
"""How many users Clerk takes by their ids at once."""

_FINDERS: Final = {
    "users": find_user,
    "organizations": find_organization,
    "sessions": find_session,
}


class _Named(msgspec.Struct, frozen=True):
    id: Any = None
    status: Any = None


_NAMED: Final = msgspec.json.Decoder(_Named)


async def look(clerk: Clerk, resource: str, suspect: Suspect) -> Answer:
    """Return what Clerk has of a suspect. Raises NotAtClerkError where it has nothing.

    Raises what the client raises besides.
    """
    if resource != "memberships":
        return await _FINDERS[resource](clerk, suspect["clerk_id"])
    answer = await find_membership(clerk, suspect["organization_id"], suspect["user_id"])
    if _NAMED.decode(answer.body).id != suspect["clerk_id"]:  # they have joined again
        raise NotAtClerkError(answer.clock_ms)
    return answer


def read_status(answer: Answer) -> Any:
    """Return the status of a session, None where Clerk says none."""
    return _NAMED.decode(answer.body).status


async def look_for_users(clerk: Clerk, clerk_ids: Sequence[str]) -> tuple[dict[str, bytes], int]:
    """Return those of up to MANY users whom Clerk has, by their ids, and what its clock said."""
    wanted = MultiDict[str | int]([("user_id", each) for each in clerk_ids])
    wanted.add("limit", MANY)
    items = read_list(await clerk.get("/users", wanted))
    named = zip(items.seen, items.things, strict=True)
    return {seen.id: thing for seen, thing in named}, items.clock_ms
