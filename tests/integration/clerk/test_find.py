"""One direct look says what Clerk has, or that it has it no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from deploy.clerk.find import (
    find_membership,
    find_organization,
    find_session,
    find_user,
    read_instance,
)
from deploy.standin.world import INSTANCE_ID
from schema.clerk.client import ClerkRefusedError, ClerkUnavailableError, NotAtClerkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deploy.standin.trouble import Trouble
    from deploy.standin.world import World
    from schema.clerk.client import Answer, Clerk
    from tests.integration.clerk.conftest import Ask


async def test_what_is_there_is_found(world: World, ask: Ask) -> None:
    """As Clerk has it; a membership by its organization and its user."""
    user, organization = world.create_user().id, world.create_organization().id
    world.add_member(organization, world.create_user().id)
    membership = world.add_member(organization, user).id
    session = world.open_session(user).id

    async with ask(world) as clerk:
        found = [
            await find_user(clerk, user),
            await find_organization(clerk, organization),
            await find_membership(clerk, organization, user),
            await find_session(clerk, session),
        ]

    ids = [msgspec.json.decode(each.body)["id"] for each in found]
    assert ids == [user, organization, membership, session]


async def test_what_is_gone_is_absent(world: World, ask: Ask) -> None:
    """By Clerk's clock, which has gone on since."""
    user, organization = world.create_user().id, world.create_organization().id
    world.add_member(organization, user)
    session = world.open_session(user).id
    other = world.create_organization().id
    world.delete_user(user)
    world.delete_organization(organization)
    world.advance(5000)

    looks: list[Callable[[Clerk], Awaitable[Answer]]] = [
        lambda clerk: find_user(clerk, user),
        lambda clerk: find_organization(clerk, organization),
        lambda clerk: find_membership(clerk, organization, user),
        lambda clerk: find_membership(clerk, other, user),
        lambda clerk: find_session(clerk, session),
    ]
    async with ask(world) as clerk:
        for look in looks:
            with pytest.raises(NotAtClerkError) as absent:
                await look(clerk)
            assert absent.value.clock_ms == world.now_ms // 1000 * 1000


async def test_an_id_cannot_lead_elsewhere(world: World, ask: Ask) -> None:
    """Whatever somebody put into it: /users/count is no user, /users/../instance neither."""
    world.create_user()
    async with ask(world) as clerk:
        for odd in ("../instance", "user?limit=1", "user/1", "x/../../users", "user#1", "ä b"):
            with pytest.raises(NotAtClerkError):
                await find_user(clerk, odd)
        asked = clerk.requests
        for odd in ("", ".", "..", "count"):
            with pytest.raises(ClerkRefusedError):
                await find_user(clerk, odd)

        assert clerk.requests == asked


async def test_the_instance_says_who_it_is(world: World, trouble: Trouble, ask: Ask) -> None:
    """So that nobody fills one instance's tables from another."""
    trouble.environment_type = "production"
    async with ask(world, trouble) as clerk:
        instance = await read_instance(clerk)

    assert (instance.id, instance.environment_type) == (INSTANCE_ID, "production")


async def test_an_answer_that_is_no_instance_is_not_clerks(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something on the way answers 200 to everything."""
    monkeypatch.setattr("deploy.standin.app._instance", lambda _: ["welcome"])
    async with ask(world) as clerk:
        with pytest.raises(ClerkUnavailableError):
            await read_instance(clerk)
