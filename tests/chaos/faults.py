"""What can happen to a running system, each at a moment and for a time that chance decides."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from tests.chaos.sickness import SICKNESSES, end_sessions
from tests.chaos.storm import join_and_leave

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine, Mapping

    from deploy.stack import Process
    from tests.chaos.proxy import Proxy
    from tests.chaos.troupe import Arena, Troupe

    Fault = Callable[["System"], Coroutine[Any, Any, None]]

NAMES: Final = ("chaos-0", None)
"""One static member of the group, and one dynamic."""
LONG_OUTAGE_S: Final = 60.0
SESSION_S: Final = 10.0


@dataclass(kw_only=True)
class System:
    """Two workers and an ingest on an arena."""

    arena: Arena
    troupe: Troupe
    chance: random.Random
    port: int
    workers: list[Process] = field(default_factory=list)
    ingest: Process | None = None

    async def start(self) -> None:
        """Start everybody."""
        await asyncio.to_thread(self.revive)

    def revive(self) -> None:
        """Start who is dead. Blocks."""
        if not self.workers:
            self.workers = [self._start_worker(name) for name in NAMES]
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.workers[number] = self._start_worker(NAMES[number])
        if self.ingest is None or self.ingest.poll() is not None:
            self.ingest = self.troupe.start_ingest(self.port)

    def _start_worker(self, name: str | None) -> Process:
        return self.troupe.start_worker(self.arena.proxied(self.arena.postgres.url), name)

    def some_worker(self) -> Process:
        """Return one of the workers."""
        return self.chance.choice(self.workers)

    async def rest(self, low: float, high: float) -> None:
        """Wait for a time of chance's choice."""
        await asyncio.sleep(self.chance.uniform(low, high))


async def kill_worker(system: System) -> None:
    """Kill a worker, and another one soon after."""
    for _ in range(2):
        await asyncio.to_thread(system.some_worker().kill)
        await system.rest(0, 1)
        await asyncio.to_thread(system.revive)


async def kill_ingest(system: System) -> None:
    """Kill ingest."""
    if system.ingest:
        await asyncio.to_thread(system.ingest.kill)
    await system.rest(0, 1)


async def kill_broker(system: System) -> None:
    """Kill Kafka, and start it again."""
    await asyncio.to_thread(system.arena.kafka.kill)
    await system.rest(0, 5)


async def kill_postgres(system: System) -> None:
    """Kill PostgreSQL, and start it again."""
    await asyncio.to_thread(system.arena.postgres.kill)
    await system.rest(0, 5)


async def stop_postgres(system: System) -> None:
    """Have PostgreSQL away for a minute."""
    await asyncio.to_thread(system.arena.postgres.stop)
    await asyncio.sleep(LONG_OUTAGE_S)


async def freeze_worker(system: System) -> None:
    """Freeze a worker beyond its session, so that it wakes up as a zombie."""
    pid = system.some_worker().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await system.rest(SESSION_S + 1, SESSION_S + 4)
    finally:
        os.kill(pid, signal.SIGCONT)


async def storm(system: System) -> None:
    """Have the group rebalance every few hundred ms."""
    servers = system.arena.kafka.bootstrap_servers
    await asyncio.gather(*(join_and_leave(servers, system.chance, times=8) for _ in range(2)))


async def terminate(system: System) -> None:
    """End the workers' sessions in PostgreSQL again and again."""
    database = await asyncpg.connect(system.arena.postgres.url)
    for _ in range(60):
        await end_sessions(database)
        await system.rest(0, 0.1)
    await database.close()


def _sick(name: str) -> Fault:
    async def have(system: System) -> None:
        database = await asyncpg.connect(system.arena.postgres.url)
        async with SICKNESSES[name](database):
            await system.rest(2, 6)
        await database.close()

    return have


def _network(find: Callable[[Arena], Proxy], kind: str) -> Fault:
    async def have(system: System) -> None:
        proxy = find(system.arena)
        if kind == "slow":
            proxy.delay_s = system.chance.uniform(0.05, 0.3)
        elif kind == "held":
            proxy.hold()
        await system.rest(2, 6)
        for _ in range(10 if kind == "reset" else 1):
            proxy.reset()
            await system.rest(0, 0.5)

    return have


FAULTS: Final[Mapping[str, Fault]] = {
    "worker killed": kill_worker,
    "ingest killed": kill_ingest,
    "broker killed": kill_broker,
    "PostgreSQL killed": kill_postgres,
    "PostgreSQL away for 60 s": stop_postgres,
    "worker frozen past its session": freeze_worker,
    "rebalance storm": storm,
    "sessions terminated": terminate,
    **{f"PostgreSQL: {name}": _sick(name) for name in SICKNESSES},
    **{
        f"network to {server} {kind}": _network(find, kind)
        for server, find in {
            "Kafka": lambda arena: arena.to_kafka,
            "PostgreSQL": lambda arena: arena.to_postgres,
        }.items()
        for kind in ("slow", "held", "reset")
    },
}
