"""Newcomers: asked for once, and no more of them, no longer and no more often than is good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, get_args

import pytest
from prometheus_client import CollectorRegistry

from api import newcomers as bounds
from api.newcomers import MAX_AT_ONCE, PAUSE_S, PAUSES_S, Newcomers, Outcome
from schema.http.tokens.claims import Caller
from schema.ops.metrics import ApiMetrics
from schema.ops.metrics.api import NEWCOMERS
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID


def caller(number: int = 1) -> Caller:
    """Return somebody whose token was good."""
    clerk_id = f"user_{number}"
    return Caller(clerk_id=clerk_id, user_id=derive_id(clerk_id), expires_at=0)


class World:
    """A clock, and a Clerk that says what the test says, when it says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.outcome: Outcome | Exception = "arrived"
        self.asked: list[str] = []
        self.forgotten: list[UUID] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.registry = CollectorRegistry()
        self.newcomers = Newcomers(
            self._fetch,
            forget=self.forgotten.append,
            metrics=ApiMetrics(self.registry),
            clock=lambda: self.now,
        )

    async def _fetch(self, caller: Caller) -> Outcome:
        self.asked.append(caller.clerk_id)
        await self.answers.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def counted(self, outcome: str) -> float | None:
        """Return how often something came of it."""
        return self.registry.get_sample_value("clerkwork_newcomers_total", {"outcome": outcome})

    async def begin(self, *numbers: int) -> list[asyncio.Task[bool]]:
        """Let requests come of which none is answered yet."""
        self.answers.clear()
        asked = [asyncio.create_task(self.newcomers.welcome(caller(each))) for each in numbers]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asked


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Return a new world, in which nobody is being fetched at the end."""
    world = World()
    yield world
    await world.newcomers.close()


async def test_however_many_requests_come_clerk_is_asked_once(world: World) -> None:
    """And all of them look again when it has answered."""
    asked = await world.begin(*[1] * 50)
    assert world.asked == ["user_1"]
    world.answers.set()

    assert await asyncio.gather(*asked) == [True] * 50
    assert (world.counted("arrived"), world.counted("joined")) == (1, 49)
    assert world.forgotten == [derive_id("user_1")]


async def test_a_request_that_goes_away_takes_the_answer_from_nobody(world: World) -> None:
    """Clients leave, others wait for the same user."""
    first, second = await world.begin(1, 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    world.answers.set()

    assert await second
    assert world.asked == ["user_1"]


@pytest.mark.parametrize("outcome", get_args(Outcome))
async def test_nobody_is_asked_for_again_at_once(world: World, outcome: Outcome) -> None:
    """Whatever came of it: for a while the answer is that of before, without a wait."""
    world.outcome = outcome
    assert await world.newcomers.welcome(caller())
    world.now += PAUSES_S.get(outcome, PAUSE_S) - 0.1
    assert not await world.newcomers.welcome(caller())
    assert world.asked == ["user_1"]
    world.now += 0.2

    assert await world.newcomers.welcome(caller())
    assert world.asked == ["user_1"] * 2
    assert (world.counted(outcome), world.counted("remembered")) == (2, 1)


async def test_whom_clerk_does_not_have_is_left_alone_for_longest() -> None:
    """A token of another instance, or of somebody deleted, may ask many times."""
    assert PAUSES_S["absent"] == 60.0 == max(PAUSES_S.values())
    assert max(PAUSES_S.get(each, PAUSE_S) for each in ("failed", "clerk_unavailable")) == 5.0


async def test_who_comes_while_many_are_fetched_does_not_queue(world: World) -> None:
    """They are answered at once, and not remembered: the next request may have a place."""
    many = await world.begin(*range(MAX_AT_ONCE))
    assert not await world.newcomers.welcome(caller(99))
    world.answers.set()
    assert await asyncio.gather(*many) == [True] * MAX_AT_ONCE

    assert await world.newcomers.welcome(caller(99))
    assert len(world.asked) == MAX_AT_ONCE + 1
    assert world.counted("busy") == 1


async def test_a_bug_is_a_user_who_is_not_here(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """No request fails of it; the log has it."""
    world.outcome = ZeroDivisionError()

    assert await world.newcomers.welcome(caller())
    assert not await world.newcomers.welcome(caller())
    assert world.counted("failed") == 1
    assert "newcomer_failed" in capsys.readouterr().out


async def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest make room."""
    monkeypatch.setattr(bounds, "MAX_REMEMBERED", 10)
    small = World()
    for number in range(30):
        await small.newcomers.welcome(caller(number))

    assert not await small.newcomers.welcome(caller(29))
    assert await small.newcomers.welcome(caller(0))
    assert world.asked == []


async def test_the_end_waits_for_nobody(world: World) -> None:
    """Whoever is being fetched when the process stops is let go."""
    asked = await world.begin(1, 2)
    async with asyncio.timeout(1):
        await world.newcomers.close()
        ended = await asyncio.gather(*asked, return_exceptions=True)

    assert all(isinstance(each, asyncio.CancelledError) for each in ended)


def test_every_outcome_is_counted_from_zero() -> None:
    """The metric's series are all there at the first scrape."""
    assert {*get_args(Outcome), "joined", "remembered", "busy"} == set(NEWCOMERS)
