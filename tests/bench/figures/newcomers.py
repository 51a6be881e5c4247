"""How long a new user waits who asks before their webhook came."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import aiohttp

from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.world import World
from deploy.tokens import mint_token, new_private_key, public_key
from tests.bench.figure import OURS, Experiment, Figure
from tests.bench.paced import percentiles
from tests.leftovers import skip_leftovers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.bench import Bench, Server

HERE: Final = "here already"
PAUSE_S: Final = 0.1


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Have each ask for themselves when the one before has an answer; then all of them again."""
    key, world = new_private_key(), World()
    users = [world.create_user(first_name="Grace").id for _ in range(bench.choose(50, 3))]
    await skip_leftovers(bench.stack.bootstrap_servers)  # of other experiments
    async with bench.database() as url, running_stand_in(world) as clerk:
        clerk_settings = {"CLERK_SECRET_KEY": LIVE_KEY, "CLERK_API_URL": clerk}
        async with (
            bench.serving("workers", DATABASE_URL=url),
            bench.serving(
                "api",
                settings=clerk_settings,
                DATABASE_URL=url,
                CLERK_JWT_KEY=public_key(key),
            ) as server,
        ):
            await asyncio.sleep(bench.choose(2, 0))  # so that nothing else is going on
            return {who: percentiles(await ask(server, users, key)) for who in (OURS, HERE)}


async def ask(server: Server, users: Sequence[str], key: str) -> Sequence[float]:
    """Return how long each waited, in milliseconds."""
    took: list[float] = []
    async with aiohttp.ClientSession() as session:
        for user in users:
            headers = {"Authorization": f"Bearer {mint_token(key, user_id=user, minutes=5)}"}
            began = time.perf_counter()
            async with session.get(f"{server.url}/v1/me", headers=headers) as response:
                response.raise_for_status()
                await response.read()
            took.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE_S)
    return took


EXPERIMENT: Final = Experiment(
    name="newcomers",
    says="Users ask for themselves, one after the other; their webhooks do not come. Clerk's"
    " stand-in, which answers at once, is asked; its answer is published, applied and read.",
    contestants={OURS: "the first time", HERE: "again, when they are here"},
    figures=tuple(
        Figure(name=part, says=f"from asking to the answer, {part}", unit="ms", better="less")
        for part in ("p50", "p95", "p99")
    ),
    measure=measure,
    long=True,
)
