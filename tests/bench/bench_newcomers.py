"""How long a new user waits: `.venv/bin/python -m tests.bench.bench_newcomers`.

The whole system beside Clerk's stand-in, which answers at once; no webhooks come. Each of NEWCOMERS
asks for themselves when the one before has an answer: Clerk is asked, the answer published,
applied, and read. Then the same again, of users who are here by now.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from rich.console import Console

from deploy.stack.ports import LOOPBACK, free_port
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.world import World
from deploy.system import Wishes
from deploy.tokens import mint_token
from deploy.up import running_system

if TYPE_CHECKING:
    from deploy.system import System

NEWCOMERS = 50
PAUSE_S = 0.1


async def measure(system: System, port: int) -> None:
    """Print how long the answers took."""
    world = World()
    async with running_stand_in(world, port=port), aiohttp.ClientSession() as session:
        users = [world.create_user(first_name="Grace").id for _ in range(NEWCOMERS)]
        await asyncio.sleep(2)  # so that Kafka is connected and nothing else is going on
        for what in ("fetched from Clerk", "here already"):
            took: list[float] = []
            for user in users:
                token = mint_token(system.private_key, user_id=user, minutes=5)
                headers = {"Authorization": f"Bearer {token}"}
                began = time.perf_counter()
                async with session.get(f"{system.api_url}/v1/me", headers=headers) as response:
                    await response.read()
                    assert response.status == 200
                took.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(PAUSE_S)
            parts = statistics.quantiles(took, n=20)
            print(
                f"{what}: p50 {statistics.median(took):.0f} ms, p95 {parts[18]:.0f} ms,"
                f" at most {max(took):.0f} ms"
            )


def main() -> None:
    """Bring everything up and measure."""
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        wishes = Wishes(
            data=Path(data),
            ingest_port=free_port(),
            api_port=free_port(),
            worker_port=free_port(),
            relay_port=free_port(),
            canary_port=None,
            environment=os.environ
            | {
                "CLERK_SECRET_KEY": LIVE_KEY,
                "CLERK_API_URL": f"http://{LOOPBACK}:{port}/v1",
                "LOG_LEVEL": "WARNING",
            },
        )
        with running_system(wishes, Console(stderr=True)) as system:
            asyncio.run(measure(system, port))


if __name__ == "__main__":
    main()
