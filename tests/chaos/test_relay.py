"""Relays die, freeze and lose their servers: every change is there once, and in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg

from tests.changes import Seen, new_keys, out_of_order, put_changes, read_changes
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from deploy.stack import Process
    from tests.chaos.troupe import Arena, Troupe

    Database = asyncpg.Connection[asyncpg.Record]

SESSION_S = 10
"""After so long PostgreSQL ends the session of a relay that is frozen."""


@dataclass(kw_only=True)
class Story:
    """Changes of a few people, who go on changing."""

    database_url: str
    bootstrap_servers: str
    keys: list[str] = field(default_factory=lambda: new_keys(12))
    positions: list[int] = field(default_factory=list)

    async def change(self, times: int = 1) -> None:
        """Have everybody change; what is returned from is committed."""
        database = await asyncpg.connect(self.database_url)
        try:
            for _ in range(times):
                self.positions += await put_changes(database, self.keys)
        finally:
            await database.close()

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Have everybody change all the time while the context lasts."""
        task = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _go_on(self) -> None:
        while True:
            # Not to be cut off between a commit and our knowing of it.
            await asyncio.shield(asyncio.ensure_future(self.change()))
            await asyncio.sleep(0.05)

    async def published(self) -> list[Seen]:
        """Return what is on the topics now."""
        return await read_changes(self.bootstrap_servers, self.positions)

    async def begin(self) -> None:
        """Return once something more is published."""
        count = len(await self.published())
        await until(self.published, lambda seen: len(seen) > count)

    async def check(self) -> None:
        """Fail unless all of it is there or will be soon, once, and in order."""
        seen = await until(
            self.published, lambda seen: len(seen) >= len(self.positions), within_s=60
        )
        assert sorted(each.position for each in seen) == sorted(self.positions)
        assert out_of_order(seen) == []


async def test_killed_at_random(
    chance: random.Random, troupe: Troupe, database_url: str, bootstrap_servers: str
) -> None:
    """Killed again and again at any moment, whoever comes next goes on exactly there."""
    story = Story(database_url=database_url, bootstrap_servers=bootstrap_servers)
    relays = [await _start(troupe, database_url) for _ in range(2)]
    async with story.changing():
        for number in range(6):
            await story.begin()
            await asyncio.sleep(chance.random() * 0.2)
            await asyncio.to_thread(relays[number % 2].kill)
            relays[number % 2] = await _start(troupe, database_url)

    await story.check()


async def test_frozen_past_its_session(
    troupe: Troupe, database: Database, database_url: str, bootstrap_servers: str
) -> None:
    """A zombie wakes up in the middle of its batch: another one leads, and it can write nothing."""
    story = Story(database_url=database_url, bootstrap_servers=bootstrap_servers)
    zombie = await _start(troupe, database_url)
    async with story.changing():
        await story.begin()
        other = await _start(troupe, database_url)
        holder = await _holder(database)
        os.kill(zombie.pid, signal.SIGSTOP)
        try:
            await until(
                lambda: _holder(database),
                lambda pid: pid not in {holder, None},
                within_s=SESSION_S + 50,
            )
            await story.begin()
        finally:
            os.kill(zombie.pid, signal.SIGCONT)
        await story.begin()
        await asyncio.to_thread(other.kill)
        await story.begin()

    await story.check()
    assert zombie.poll() is None


async def test_frozen_in_the_middle_of_a_batch(
    chance: random.Random,
    troupe: Troupe,
    database: Database,
    database_url: str,
    bootstrap_servers: str,
) -> None:
    """It wakes up while Kafka still waits for the end of its batch, which another one has sent."""
    story = Story(database_url=database_url, bootstrap_servers=bootstrap_servers)
    relays = [await _start(troupe, database_url)]
    async with story.changing():
        await story.begin()
        relays.append(await _start(troupe, database_url))
        for number in range(6):
            zombie, holder = relays[number % 2], await _holder(database)
            await asyncio.sleep(chance.random() * 0.2)
            os.kill(zombie.pid, signal.SIGSTOP)
            try:
                await database.execute("SELECT pg_terminate_backend($1)", holder)
                last = story.positions[-1]
                await until(lambda: _noted(database), last.__lt__)
            finally:
                os.kill(zombie.pid, signal.SIGCONT)

    await story.check()
    assert [relay.poll() for relay in relays] == [None, None]


async def test_kafka_goes_away_and_comes_back(
    arena: Arena,
    chance: random.Random,
    troupe: Troupe,
    database: Database,
    database_url: str,
    bootstrap_servers: str,
) -> None:
    """What is told meanwhile waits in the outbox."""
    story = Story(database_url=database_url, bootstrap_servers=bootstrap_servers)
    relay = await _start(troupe, database_url)
    async with story.changing():
        await story.begin()
        await asyncio.to_thread(arena.kafka.kill)
        await until(lambda: _holder(database), lambda pid: pid is None)
        await asyncio.sleep(chance.uniform(0, 2))
        await asyncio.to_thread(arena.kafka.start)
        await story.begin()

    await story.check()
    assert relay.poll() is None


async def test_postgres_goes_away_and_comes_back(
    arena: Arena,
    chance: random.Random,
    troupe: Troupe,
    database_url: str,
    bootstrap_servers: str,
) -> None:
    """The lock goes with it; what was published is not published again."""
    story = Story(database_url=database_url, bootstrap_servers=bootstrap_servers)
    relay = await _start(troupe, database_url)
    await story.change(20)
    await story.begin()
    await asyncio.to_thread(arena.postgres.kill)
    await asyncio.sleep(chance.uniform(0, 2))
    await asyncio.to_thread(arena.postgres.start)
    await story.change(20)

    await story.check()
    assert relay.poll() is None


async def test_nobody_hears_the_answers_of_kafka(
    arena: Arena, troupe: Troupe, database: Database, database_url: str, bootstrap_servers: str
) -> None:
    """Killed when it cannot know whether its transaction is committed: the next one finds out."""
    story = Story(database_url=database_url, bootstrap_servers=bootstrap_servers)
    relay = await _start(troupe, database_url)
    async with story.changing():
        await story.begin()
        arena.to_kafka.hold_answers()
        await until(lambda: _held(arena), (2).__lt__)
        await asyncio.to_thread(relay.kill)
        await until(lambda: _holder(database), lambda pid: pid is None)
        arena.to_kafka.reset()
        arena.to_kafka.heal()
        await _start(troupe, database_url)
        await story.begin()

    await story.check()


async def test_stopped_politely(
    troupe: Troupe, database: Database, database_url: str, bootstrap_servers: str
) -> None:
    """SIGTERM finishes the batch on its way and notes it; the exit code is 0."""
    story = Story(database_url=database_url, bootstrap_servers=bootstrap_servers)
    relay = await _start(troupe, database_url)
    async with story.changing():
        await story.begin()
        code = await asyncio.to_thread(relay.stop)
    noted = await _noted(database)
    there = await until(story.published, lambda seen: max(each.position for each in seen) >= noted)
    await _start(troupe, database_url)

    assert code == 0
    assert noted == max(each.position for each in there)
    await story.check()


async def _start(troupe: Troupe, database_url: str) -> Process:
    return await asyncio.to_thread(troupe.start_relay, database_url)


async def _holder(database: Database) -> int | None:
    """Return the session that holds the lock of the active relay."""
    return await database.fetchval(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 6241359 AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


async def _noted(database: Database) -> int:
    return await database.fetchval("SELECT position FROM relay_progress")


async def _held(arena: Arena) -> int:
    return arena.to_kafka.held
