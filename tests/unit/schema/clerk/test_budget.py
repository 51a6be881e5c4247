"""Requests are spent within the limit, and an operator is told why one was not."""

from __future__ import annotations

import asyncio
import time

import pytest

from deploy.errors import explain
from schema.clerk.budget import Budget
from schema.clerk.client import ClerkRefusedError, ClerkUnavailableError, NotAtClerkError


async def _spend(budget: Budget, patience_s: float) -> None:
    async with budget.spend(patience_s):
        pass


async def test_what_is_used_up_is_waited_for_with_patience_only() -> None:
    """The limit is over 10 s, so a short patience ends in words."""
    budget = Budget(2)
    await _spend(budget, 1)
    await _spend(budget, 1)

    with pytest.raises(ClerkUnavailableError, match="used up"):
        await _spend(budget, 0.05)


async def test_a_request_counts_until_after_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clerk may have counted it late: the window begins when it was answered."""
    monkeypatch.setattr("schema.clerk.budget._WINDOW_S", 0.2)
    budget = Budget(1)
    async with budget.spend(1):
        await asyncio.sleep(0.2)
        answered_at = time.monotonic()

    await _spend(budget, 1)

    assert time.monotonic() - answered_at >= 0.2


async def test_those_who_wait_are_served_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody starves."""
    monkeypatch.setattr("schema.clerk.budget._WINDOW_S", 0.01)
    budget, served = Budget(1), list[int]()

    async def spend(number: int) -> None:
        async with budget.spend(5):
            served.append(number)

    await asyncio.gather(*(spend(number) for number in range(10)))

    assert served == list(range(10))


async def test_a_pause_is_kept_and_is_bounded() -> None:
    """A later, shorter one does not end it; an absurd one does not last for ever."""
    budget = Budget(5)
    budget.pause(0.2)
    budget.pause(0.01)
    began = time.monotonic()
    await _spend(budget, 1)
    assert time.monotonic() - began >= 0.2
    assert budget.waited_s >= 0.2

    budget.pause(1e9)
    assert budget._paused_until - time.monotonic() < 1000


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClerkUnavailableError(), "Clerk does not answer; try again later"),
        (
            ClerkRefusedError(403, "forbidden"),
            "CLERK_SECRET_KEY is not accepted: Clerk answered 403 (forbidden)",
        ),
        (NotAtClerkError(1), "Clerk has no such thing"),
    ],
)
def test_the_console_knows_what_clerk_says(error: Exception, reason: str) -> None:
    """In words, without a traceback."""
    assert explain(error) == reason
