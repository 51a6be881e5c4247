"""A backfill that broke off goes on where it was, whatever killed it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from deploy.backfill.note import read_sweeps
from deploy.clerk.walk import PAGE

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
