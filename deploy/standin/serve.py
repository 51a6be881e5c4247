"""Serve a stand-in in the foreground, for trials."""

from __future__ import annotations

import asyncio
import shlex
import time
from typing import TYPE_CHECKING

from deploy.errors import OperatorError
from deploy.signals import interruptible
from deploy.stack.ports import require_free
from deploy.standin.app import running_stand_in
from deploy.standin.shapes import DAY_MS
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from schema.clerk.settings import REQUESTS_PER_10_S

if TYPE_CHECKING:
    from rich.console import Console


def serve_stand_in(
    *, users: int, port: int, latency_s: float, secret_key: str, console: Console
) -> int:
    """Serve that many invented users until interrupted; print how to ask for them.

    Raises OperatorError when the port is taken, or the key cannot be one of Clerk's.
    """
    if not secret_key.startswith(tuple(REQUESTS_PER_10_S)):
        raise OperatorError(
            "--key must begin with sk_live_ or sk_test_, as Clerk's secret keys do."
        )
    require_free(port, asked_by="stand-in (--port)")
    world = World(now_ms=_wall_ms() - 30 * DAY_MS)
    world.populate(users=users, organizations=users // 100, members=10)
    world.follow(_wall_ms)
    try:
        with interruptible():
            asyncio.run(_serve(world, port, latency_s, secret_key, console))
    except KeyboardInterrupt:
        console.print("Stopped.")
    return 0


async def _serve(
    world: World, port: int, latency_s: float, secret_key: str, console: Console
) -> None:
    trouble = Trouble(latency_s=latency_s)
    async with running_stand_in(world, trouble, port=port, keys=(secret_key,)) as url:
        settings = f"CLERK_API_URL={url} CLERK_SECRET_KEY={shlex.quote(secret_key)}"
        console.print(f"export {settings}", markup=False)
        await asyncio.Event().wait()


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
