"""What is remembered of callers: for how long, for how many, and what makes it old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.read import Standing
from api.standings import KEPT_S, MAX_SESSIONS, Found, Key, Standings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ADMIN = Standing(role="admin", status="active")
PLAIN = Standing(role="user", status="active")


class World:
    """A clock, and a database that says what the test says."""

    def __init__(self, *, ttl_s: float = 1.0) -> None:
        self.now = 1000.0
        self.standing = ADMIN
        self.asked = 0
        self.hold: asyncio.Event | None = None
        self.standings = Standings(ttl_s=ttl_s, clock=lambda: self.now)

    def ask(self) -> Callable[[], Awaitable[Found]]:
        """Return the question, which sees the database of when it is asked."""

        async def ask() -> Found:
            self.asked += 1
            standing, now = self.standing, self.now
            if self.hold:
                await self.hold.wait()
            return Found(standing=standing, session_ended=False, read_at=now)

        return ask

    async def look(self, key: Key) -> Standing | None:
        """Do what a request does."""
        found = self.standings.fresh(key) or await self.standings.read(key, self.ask())
        return found.standing


def new_key() -> Key:
    """Return a session of somebody new."""
    return Key(uuid4(), uuid4())


async def test_a_standing_is_read_once_a_moment() -> None:
    """And anew when the moment is over."""
    world, key = World(), new_key()
    for _ in range(10):
        assert await world.look(key) == ADMIN
    assert world.asked == 1

    world.standing = PLAIN
    world.now += 1

    assert await world.look(key) == PLAIN


async def test_many_requests_at_once_read_once() -> None:
    """A page that asks for ten things costs one standing."""
    world, key = World(), new_key()

    found = await asyncio.gather(*(world.look(key) for _ in range(1000)))

    assert set(found) == {ADMIN}
    assert world.asked == 1


async def test_sessions_and_users_are_told_apart() -> None:
    """One that was ended says nothing of the others."""
    world, key = World(), new_key()
    await world.look(key)
    await world.look(Key(key.user_id, uuid4()))
    await world.look(Key(key.user_id, None))
    await world.look(new_key())

    assert world.asked == 4


async def test_who_is_forgotten_is_read_anew_at_once() -> None:
    """All sessions of theirs, and nobody else's."""
    world, key, other = World(), new_key(), new_key()
    await world.look(key)
    await world.look(other)
    world.standing = PLAIN

    world.standings.forget(key.user_id)

    assert await world.look(key) == PLAIN
    assert await world.look(other) == ADMIN


async def test_what_was_being_read_while_it_changed_is_not_kept() -> None:
    """The request that asked has its answer; the next one asks again."""
    world, key = World(), new_key()
    world.hold = asyncio.Event()
    slow = asyncio.create_task(world.look(key))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.asked == 1
    world.standing = PLAIN

    world.standings.forget(key.user_id)
    world.hold.set()

    assert await slow == ADMIN
    assert await world.look(key) == PLAIN


async def test_a_request_that_goes_away_takes_the_answer_from_nobody() -> None:
    """The read belongs to all who wait for it."""
    world, key = World(), new_key()
    world.hold = asyncio.Event()
    first, second = (asyncio.create_task(world.look(key)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    world.hold.set()

    assert await second == ADMIN
    assert world.asked == 1


async def test_without_a_moment_every_request_reads() -> None:
    """Zero means zero, also for requests at the same time."""
    world, key = World(ttl_s=0), new_key()

    await asyncio.gather(*(world.look(key) for _ in range(5)))

    assert world.asked == 5


async def test_the_last_that_was_known_is_kept_for_a_minute() -> None:
    """Also what is known to be old; no longer."""
    world, key = World(), new_key()
    assert world.standings.last(key) is None
    await world.look(key)
    world.standings.forget(key.user_id)
    world.now += KEPT_S - 1

    last = world.standings.last(key)
    assert last
    assert last.standing == ADMIN

    world.now += 1
    assert world.standings.last(key) is None


async def test_a_failure_is_everybodys_and_nobodys_after() -> None:
    """The next request asks again."""
    world, key = World(), new_key()

    async def fail() -> Found:
        raise ConnectionRefusedError

    results = await asyncio.gather(
        *(world.standings.read(key, fail) for _ in range(3)), return_exceptions=True
    )

    assert {type(each) for each in results} == {ConnectionRefusedError}
    assert await world.look(key) == ADMIN


@pytest.mark.parametrize("sessions", [MAX_SESSIONS, MAX_SESSIONS * 10])
async def test_nobody_fills_memory_with_sessions(sessions: int) -> None:
    """Who has that many is read more often."""
    world, key = World(), new_key()

    for _ in range(sessions):
        await world.look(Key(key.user_id, uuid4()))

    assert len(world.standings._users[key.user_id]) <= MAX_SESSIONS
