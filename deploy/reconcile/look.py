"""Look directly whether Clerk has one thing: what nobody named may be only late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from multidict import MultiDict

from schema.clerk.client import NotAtClerkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schema.clerk.client import Answer, Clerk

    Suspect = Mapping[str, Any]

MANY: Final = 100
"""How many users Clerk takes by their ids at once."""


class Named(msgspec.Struct, frozen=True):
    """A thing of Clerk's, as far as it is needed to tell which."""

    id: str
    updated_at: int = 0
    status: str | None = None


class _Wrapped(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]


async def look(clerk: Clerk, resource: str, suspect: Suspect) -> Answer:
    """Return what Clerk has of a suspect. Raises NotAtClerkError where it has nothing.

    Raises what the client raises besides.
    """
    if resource == "memberships":
        return await _look_for_member(clerk, suspect)
    return await clerk.get(f"/{resource}/{quote(suspect['clerk_id'], safe='')}")


async def _look_for_member(clerk: Clerk, suspect: Suspect) -> Answer:
    organization = quote(suspect["organization_id"], safe="")
    answer = await clerk.get(
        f"/organizations/{organization}/memberships",
        MultiDict({"user_id": suspect["user_id"], "limit": 10}),
    )
    for thing in msgspec.json.decode(answer.body, type=_Wrapped).data:
        if msgspec.json.decode(thing, type=Named).id == suspect["clerk_id"]:
            return type(answer)(body=bytes(thing), clock_ms=answer.clock_ms)
    raise NotAtClerkError(answer.clock_ms)


async def look_for_users(clerk: Clerk, clerk_ids: Sequence[str]) -> tuple[dict[str, bytes], int]:
    """Return those of up to MANY users whom Clerk has, by their ids, and what its clock said."""
    wanted = MultiDict[str | int]([("user_id", each) for each in clerk_ids])
    wanted.add("limit", MANY)
    answer = await clerk.get("/users", wanted)
    things = msgspec.json.decode(answer.body, type=list[msgspec.Raw])
    found = {msgspec.json.decode(thing, type=Named).id: bytes(thing) for thing in things}
    return found, answer.clock_ms
