"""A backfill that broke off goes on where it was, whatever killed it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from deploy.backfill.note import read_sweeps
from deploy.clerk.walk import PAGE
from deploy.standin.refuse import RefusedError
from schema.clerk.client import ClerkRefusedError

if TYPE_CHECKING:
    from aiohttp import web

    from tests.integration.deploy.backfill.conftest import Scene


async def test_a_killed_one_is_gone_on_with(scene: Scene) -> None:
    """At most a page is published twice, under the same ids; nobody is missing."""
    scene.world.populate(users=3 * PAGE - 100)
    page = scene.world.random.choice((2, 3))
    victim: list[asyncio.subprocess.Process] = []
    asked = 0

    async def kill(request: web.Request) -> None:
        nonlocal asked
        asked += request.path == "/v1/users"
        if asked == page and victim:
            # The page before is being published.
            await asyncio.sleep(scene.world.random.uniform(0, 0.08))
            victim.pop().send_signal(signal.SIGKILL)

    scene.trouble.before_answer = kill
    process = await _start(scene, "--no-wait")
    victim.append(process)
    assert await process.wait() == -signal.SIGKILL
    [broken] = [each for each in await read_sweeps(scene.database) if each.resource == "users"]
    again = await _start(scene, "--no-wait")
    said, _ = await again.communicate()
    found = await scene.snapshots()

    assert again.returncode == 0, said.decode()
    assert broken.broken
    assert broken.published in {(page - 2) * PAGE, (page - 1) * PAGE}
    assert f"users goes on after {broken.seen}." in said.decode() or not broken.cursor
    assert len(found) == len(scene.world.users)
    assert {user for user, _ in found} == set(scene.world.users)
    assert found.total() - len(found) <= PAGE


async def _start(scene: Scene, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *scene.command,
        *options,
        env=scene.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_what_was_finished_before_the_break_is_not_fetched_again(scene: Scene) -> None:
    """It goes on with organizations; with a wish to restart, all begins anew."""
    scene.world.populate(users=20, organizations=3, members=4)
    await _break_off(scene, at="/v1/organizations")
    asked = scene.trouble.asked["/users"]
    filled = await scene.fill(wait=False)

    assert filled.sound
    assert scene.trouble.asked["/users"] == asked
    assert [each.here for each in filled.swept] == [0, 3, 12]
    assert [each.sweep.published for each in filled.swept] == [20, 3, 12]
    assert len({each.sweep.started_at for each in filled.swept}) == 1
    assert "users is through" in scene.said.getvalue()

    await _break_off(scene, at="/v1/organization_memberships")
    anew = await scene.fill(wait=False, restart=True)

    assert [each.here for each in anew.swept] == [20, 3, 12]
    assert await _ids(scene) == 3  # of the first, of the one that broke off, and of this


async def test_what_was_not_begun_before_the_break_is_begun(scene: Scene) -> None:
    """One that only meant users is gone on with, and the others begin beside it."""
    scene.world.populate(users=20, organizations=3, members=4)
    await _break_off(scene, at="/v1/users", only=("users",))
    filled = await scene.fill(wait=False)

    assert [each.here for each in filled.swept] == [20, 3, 12]
    assert filled.swept[0].sweep.started_at < filled.swept[1].sweep.started_at


async def _break_off(scene: Scene, *, at: str, **wishes: Any) -> None:
    """Have a backfill that ends where Clerk refuses it."""

    def refuse(request: web.Request) -> None:
        if request.path == at:
            raise RefusedError(403, "forbidden", "Not any more.")

    scene.trouble.before_answer = refuse
    with pytest.raises(ClerkRefusedError):
        await scene.fill(wait=False, **wishes)
    scene.trouble.before_answer = None


async def _ids(scene: Scene) -> int:
    """Return how many different snapshots there are of somebody."""
    user, _ = next(iter(found := await scene.snapshots()))
    return sum(about == user for about, _ in found)
