"""Whatever happens at Clerk between two pages of a walk, nobody who stays is missed."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.clerk.walk import walk_changed_users, walk_memberships, walk_organizations, walk_users
from deploy.standin.lists import Lists
from deploy.standin.refuse import RefusedError
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from schema.clerk.client import Answer, ClerkRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from deploy.clerk.walk import Page

Unknown = Literal["refuse", "empty", "beginning"]

EXAMPLES = 20


class DirectClerk:
    """Asks the stand-in's lists without a network in between, after each time a change."""

    def __init__(self, world: World, trouble: Trouble, change: Callable[[Any], None]) -> None:
        lists = Lists(world, trouble)
        self._lists: dict[str, Callable[[Any], Any]] = {
            "/users": lists.users,
            "/organizations": lists.organizations,
            "/organization_memberships": lists.memberships,
        }
        self._world = world
        self._change = change
        self.requests = 0

    async def get(self, path: str, query: Mapping[str, str | int]) -> Answer:
        """Answer as the stand-in would."""
        self.requests += 1
        self._change(query.get("starting_after"))
        try:
            request = make_mocked_request("GET", f"{path}?{urlencode(query)}")
            body = msgspec.json.encode(self._lists[path](request))
        except RefusedError as error:
            raise ClerkRefusedError(error.status, error.code) from None
        return Answer(body=body, clock_ms=self._world.now_ms)


def _populate(world: World, *, size: int, ties: bool) -> None:
    """Many of each, all of the same millisecond or each of its own."""
    same: dict[str, Any] = {"created_at": world.now_ms} if ties else {}
    for _ in range(size):
        user = world.create_user(**same).id
        organization = world.create_organization(**same).id
        member = world.add_member(organization, user).id
        world.memberships[member] |= same


def _change(world: World, random: Random) -> None:
    """Do one or a few things that Clerk's users do all day; deletions come in bursts."""
    for _ in range(random.choice((0, 1, 1, 2, 6))):
        users, organizations = list(world.users), list(world.organizations)
        match random.choice(("create", "update", "update", "delete", "move", "sign in")):
            case "create":
                world.add_member(world.create_organization().id, world.create_user().id)
            case "update" if users:
                world.update_user(random.choice(users), first_name="Nadia")
            case "delete" if users:
                world.delete_user(random.choice(users[: len(users) // 2 + 1]))
            case "move" if organizations:
                world.delete_organization(random.choice(organizations))
            case "sign in" if users:
                world.open_session(random.choice(users))


WALKS: dict[str, tuple[Callable[..., AsyncIterator[Page]], str]] = {
    "users": (walk_users, "users"),
    "organizations": (walk_organizations, "organizations"),
    "memberships": (walk_memberships, "memberships"),
    "changed": (walk_changed_users, "users"),
}


@pytest.mark.parametrize("kind", WALKS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 40),
    limit=st.integers(2, 9),
    ties=st.booleans(),
    unknown=st.sampled_from(["refuse", "empty", "beginning"]),
)
def test_nobody_who_stays_is_missed(
    kind: str, *, seed: int, size: int, limit: int, ties: bool, unknown: Unknown
) -> None:
    """From the beginning of the walk to its end; and the walk ends."""
    random = Random(seed)  # noqa: S311 - an example is to be repeatable
    world = World(seed)
    _populate(world, size=size, ties=ties)
    walk, name = WALKS[kind]
    things: dict[str, Any] = getattr(world, name)
    before = set(things)
    changes = 60
    since = {"since_ms": 0} if kind == "changed" else {}

    def change(cursor: str | None) -> None:
        nonlocal changes
        changes -= 1
        if changes > 0:
            _change(world, random)
        if changes > 0 and cursor in world.users and random.random() < 0.3:
            world.delete_user(cursor)

    clerk = DirectClerk(world, Trouble(unknown_cursor=unknown), change)

    async def see() -> set[str]:
        return {each.id async for page in walk(clerk, limit=limit, **since) for each in page.seen}

    seen = asyncio.run(see())

    assert before & set(things) <= seen
    assert clerk.requests < 500
