"""A walk misses nobody who stays, whatever happens at Clerk meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from deploy.clerk.walk import (
    count_memberships,
    count_organizations,
    count_users,
    walk_changed_users,
    walk_memberships,
    walk_organizations,
    walk_users,
)
from deploy.standin.world import BEGINNING_MS
from schema.clerk.client import ClerkRefusedError, ClerkUnavailableError
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from deploy.clerk.walk import Page
    from deploy.standin.trouble import Trouble
    from deploy.standin.world import World
    from tests.integration.clerk.conftest import Ask


async def _ids(pages: AsyncIterator[Page]) -> list[str]:
    return [each.id async for page in pages for each in page.seen]


def _before_page(number: int, change: Callable[[], Any]) -> Callable[[web.Request], None]:
    """Return a hook that changes the world before the nth page is answered."""
    count = 0

    def hook(_: web.Request) -> None:
        nonlocal count
        count += 1
        if count == number:
            change()

    return hook


async def _answered(trouble: Trouble, status: int) -> int:
    return trouble.answered[status]


async def test_each_user_comes_once_and_in_order(world: World, ask: Ask) -> None:
    """Where nothing changes; and what is given is what Clerk has."""
    world.populate(users=23)
    async with ask(world) as clerk:
        pages = [page async for page in walk_users(clerk, limit=5)]

        assert await count_users(clerk) == 23
    seen = [each for page in pages for each in page.seen]
    things = [msgspec.json.decode(each) for page in pages for each in page.things]
    assert [each.created_at for each in seen] == sorted(each.created_at for each in seen)
    assert {each["id"]: each for each in things} == world.users
    assert len(things) == 23
    assert {page.clock_ms for page in pages} == {world.now_ms // 1000 * 1000}


@pytest.mark.parametrize("unknown", ["refuse", "empty", "beginning"])
async def test_a_deleted_cursor_loses_nobody(
    world: World, trouble: Trouble, ask: Ask, unknown: Any
) -> None:
    """Whatever Clerk does with it, which it does not say."""
    world.populate(users=20)
    ids = list(world.users)
    trouble.unknown_cursor = unknown
    trouble.before_answer = _before_page(3, lambda: world.delete_user(ids[9]))

    async with ask(world, trouble) as clerk:
        found = await _ids(walk_users(clerk, limit=5))

    assert set(found) == set(ids)
    assert len(found) < 20 + 5


@pytest.mark.parametrize("unknown", ["refuse", "empty", "beginning"])
async def test_a_walk_goes_on_from_a_user_who_is_gone(
    world: World, trouble: Trouble, ask: Ask, unknown: Any
) -> None:
    """Days after it was interrupted."""
    world.populate(users=20)
    ids = list(world.users)
    trouble.unknown_cursor = unknown
    async with ask(world, trouble) as clerk:
        first = await anext(aiter(walk_users(clerk, limit=8)))
        world.delete_user(first.seen[-1].id)
        rest = await _ids(walk_users(clerk, cursor=first.cursor, limit=8))

    assert set(rest) >= set(ids[8:])
    assert len(rest) < 20


async def test_many_of_the_same_millisecond_are_all_seen(
    world: World, trouble: Trouble, ask: Ask
) -> None:
    """An import creates thousands at once; also when the one at the page's end is deleted."""
    for _ in range(30):
        world.create_user(created_at=BEGINNING_MS)
    ordered = sorted(world.users)
    trouble.before_answer = _before_page(3, lambda: world.delete_user(ordered[13]))

    async with ask(world, trouble) as clerk:
        found = await _ids(walk_users(clerk, limit=7))

    assert set(found) == set(ordered)


async def test_who_is_created_meanwhile_comes_at_the_end(
    world: World, trouble: Trouble, ask: Ask
) -> None:
    """And is seen, where it was before the last page."""
    world.populate(users=10)
    trouble.before_answer = _before_page(2, lambda: world.create_user(id="user_new"))

    async with ask(world, trouble) as clerk:
        found = await _ids(walk_users(clerk, limit=4))

    assert found[-1] == "user_new"


async def test_a_cursor_that_clerk_never_takes_is_an_error(
    world: World, trouble: Trouble, ask: Ask
) -> None:
    """Not an endless walk over the first page."""
    world.populate(users=10)
    async with ask(world, trouble) as clerk:
        first = await anext(aiter(walk_users(clerk, limit=4)))
        world.users[first.seen[-1].id]["created_at"] = BEGINNING_MS

        async def get(path: str, query: Any = None) -> Any:
            if "starting_after" in (query or {}):
                raise ClerkRefusedError(422, "unknown_parameter")
            return await ask_clerk(path, query)

        ask_clerk, clerk.get = clerk.get, get  # type: ignore[method-assign]  # older Clerk
        with pytest.raises(ClerkRefusedError, match="unknown_parameter"):
            await _ids(walk_users(clerk, limit=4))


async def test_a_page_joins_the_one_before(world: World, trouble: Trouble, ask: Ask) -> None:
    """Also when more organizations than overlap are deleted before it."""
    world.populate(organizations=40)
    ids = list(world.organizations)

    def delete_first() -> None:
        for each in ids[:12]:
            world.delete_organization(each)

    trouble.before_answer = _before_page(3, delete_first)
    async with ask(world, trouble) as clerk:
        found = await _ids(walk_organizations(clerk, limit=10))

        assert await count_organizations(clerk) == 28
    assert set(found) == set(ids)


async def test_a_list_that_shrinks_below_the_offset_is_not_at_its_end(
    world: World, trouble: Trouble, ask: Ask
) -> None:
    """An empty page proves nothing but that the offset is too large."""
    world.populate(organizations=40)
    ids = list(world.organizations)

    def delete_first() -> None:
        for each in ids[:19]:
            world.delete_organization(each)

    trouble.before_answer = _before_page(5, delete_first)
    async with ask(world, trouble) as clerk:
        found = await _ids(walk_organizations(clerk, limit=10))

    assert set(found) == set(ids)


async def test_memberships_are_walked_alike(world: World, ask: Ask) -> None:
    """All of all organizations, each with its user and its organization."""
    world.populate(users=30, organizations=4, members=20)
    async with ask(world) as clerk:
        pages = [page async for page in walk_memberships(clerk, limit=25)]

        assert await count_memberships(clerk) == 80
    things = {msgspec.json.decode(each)["id"] for page in pages for each in page.things}
    assert things == set(world.memberships)


async def test_a_walk_by_offset_goes_on_from_its_cursor(world: World, ask: Ask) -> None:
    """Also when half of what was behind it is gone, and what it stood on."""
    world.populate(organizations=40)
    ids = list(world.organizations)
    async with ask(world) as clerk:
        pages = [page async for page in walk_organizations(clerk, limit=10)]
        for each in ids[5:20]:
            world.delete_organization(each)
        rest = await _ids(walk_organizations(clerk, cursor=pages[2].cursor, limit=10))

    seen = {each.id for page in pages[:3] for each in page.seen}
    assert set(ids) - seen <= set(rest)


async def test_the_changed_are_walked_from_the_latest_on(world: World, ask: Ask) -> None:
    """And no further than asked."""
    world.populate(users=40)
    ids = list(world.users)
    since_ms = world.now_ms + 1
    for each in (ids[3], ids[30], ids[17]):
        world.update_user(each)

    async with ask(world) as clerk:
        found = await _ids(walk_changed_users(clerk, since_ms=since_ms, limit=10))

    assert found == [ids[17], ids[30], ids[3]]


async def test_where_nothing_changed_there_is_no_page(world: World, ask: Ask) -> None:
    """Nobody needs to look into an empty one."""
    world.populate(users=4)
    async with ask(world) as clerk:
        pages = [page async for page in walk_changed_users(clerk, since_ms=world.now_ms + 1)]

    assert pages == []


async def test_who_moves_to_the_front_meanwhile_is_seen(
    world: World, trouble: Trouble, ask: Ask
) -> None:
    """The rows move under the walk: it looks at the beginning again."""
    since_ms = world.now_ms
    world.populate(users=40)
    ids = list(world.users)
    trouble.before_answer = _before_page(3, lambda: world.update_user(ids[0]))

    async with ask(world, trouble) as clerk:
        found = await _ids(walk_changed_users(clerk, since_ms=since_ms, limit=10))

    assert set(found) == set(ids)


@pytest.mark.parametrize("broken", [{"id": 7}, {"updated_at": None}])
async def test_one_that_cannot_be_read_stops_nobody(
    world: World, ask: Ask, broken: dict[str, Any]
) -> None:
    """It is given as it is, apart from the others, also where it ends a page."""
    world.populate(users=9, organizations=9)
    users, organizations = list(world.users), list(world.organizations)
    world.users[users[5]] |= broken
    world.organizations[organizations[5]] |= broken

    async with ask(world) as clerk:
        pages = [page async for page in walk_users(clerk, limit=3)]
        others = [page async for page in walk_organizations(clerk, limit=3)]

    assert {each.id for page in pages for each in page.seen} == {*users} - {users[5]}
    assert {each.id for page in others for each in page.seen} == {*organizations} - {
        organizations[5]
    }
    odd = [{each for page in every for each in page.unreadable} for every in (pages, others)]
    assert [len(each) for each in odd] == [1, 1]
    assert msgspec.json.decode(odd[0].pop()) == world.users[users[5]]


async def test_a_page_of_nonsense_is_no_end(world: World, ask: Ask) -> None:
    """Rather an error than a walk that saw nobody."""
    world.populate(users=6)
    for each in world.users.values():
        each["updated_at"] = None
    async with ask(world) as clerk:
        with pytest.raises(ClerkUnavailableError, match="can be read"):
            await _ids(walk_users(clerk, limit=3))


async def test_one_page_is_fetched_ahead(world: World, trouble: Trouble, ask: Ask) -> None:
    """While the first is used the second is asked for, and no third."""
    world.populate(users=20)
    async with ask(world, trouble) as clerk:
        pages = walk_users(clerk, limit=5)
        await anext(aiter(pages))
        await until(lambda: _answered(trouble, 200), lambda count: count >= 2)
        await clerk.get("/users/count")

        assert trouble.asked == {"/users": 2, "/users/count": 1}
