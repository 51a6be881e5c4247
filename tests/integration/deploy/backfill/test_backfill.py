"""A backfill: what Clerk has arrives, whatever else arrives meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.standin.told import Told
from schema.kafka.snapshots import SNAPSHOT

if TYPE_CHECKING:
    from aiohttp import web

    from tests.integration.deploy.backfill.conftest import Scene


async def test_everything_arrives_and_a_second_time_changes_nothing(scene: Scene) -> None:
    """Users over several pages, organizations, memberships; others are told of each user once."""
    scene.world.populate(users=1100, organizations=3, members=40)
    async with scene.worker():
        first = await scene.fill()
        told = await scene.outbox()
        second = await scene.fill()

    users = {user["id"]: user["updated_at"] for user in scene.world.users.values()}
    assert (first.sound, second.sound, first.left) == (True, True, 0)
    assert await scene.versions() == users
    assert await scene.database.fetchval(
        "SELECT count(*) FROM organizations WHERE status = 'active'"
    ) == len(scene.world.organizations)
    assert set(
        await scene.database.fetchval("SELECT array_agg(clerk_id) FROM organization_memberships")
    ) == set(scene.world.memberships)
    assert (told, await scene.outbox()) == (1100, 1100)
    assert [each.sweep.published for each in first.swept] == [1100, 3, 120]
    assert first.swept[0].outcomes
    assert first.swept[0].outcomes.counts == {"applied": 1100}


async def test_a_webhook_that_is_newer_is_never_overwritten(scene: Scene) -> None:
    """While pages are fetched, users change, come and go; of half of it Clerk's webhooks tell."""
    world, told, heard, lost = scene.world, list[Told](), list[Told](), set[str]()
    world.populate(users=1200)
    ids, chance = list(world.users), world.random

    async def change(request: web.Request) -> None:
        if request.path != "/v1/users":
            return
        there = [each for each in ids if each in world.users]
        for user_id in chance.sample(there, 40):
            webhook = world.update_user(user_id, first_name=f"Changed {world.now_ms}")
            if chance.random() < 0.5:
                told.append(webhook)
            else:
                lost.add(user_id)
        told.append(world.delete_user(chance.choice(there)))
        lost.add(world.create_user(first_name="Late").id)
        await scene.tell(told)
        heard.extend(told)
        told.clear()

    scene.trouble.before_answer = change
    async with scene.worker():
        filled = await scene.fill(only=("users",))
        scene.trouble.before_answer = None
        behind = await _behind(scene)
        again = await scene.fill(only=("users",))

    deleted = {each.id for each in heard if each.type == "user.deleted"}
    assert filled.sound
    assert again.sound
    assert deleted
    assert behind <= lost  # nobody of whom a webhook has told
    assert await _behind(scene) == set()
    assert {each: row["first_name"] for each, row in (await scene.users()).items()} == {
        **dict.fromkeys(deleted),
        **{each: user["first_name"] for each, user in world.users.items()},
    }


async def _behind(scene: Scene) -> set[str]:
    versions = await scene.versions()
    users = scene.world.users
    return {each for each in users if versions.get(each, 0) < users[each]["updated_at"]}


async def test_trouble_delays_and_loses_nothing(scene: Scene) -> None:
    """A third of the answers are errors, cut short or late, and Clerk asks for patience."""
    scene.world.populate(users=1100, organizations=2, members=5)
    scene.trouble.error_rate, scene.trouble.slow_s = 0.34, 0.05
    filled = await scene.fill(wait=False)

    assert filled.sound
    assert {user for user, _ in await scene.snapshots()} == set(scene.world.users)
    assert filled.left is None
    assert SNAPSHOT not in scene.said.getvalue()
