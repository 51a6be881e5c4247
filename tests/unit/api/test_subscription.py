"""What waits in memory for a stream."""

from __future__ import annotations

import asyncio
from uuid import UUID

from api.read import Standing
from api.subscription import Frame, Subscription
from schema.http.tokens.claims import Caller

CALLER = Caller(clerk_id="user_1", user_id=UUID(int=1), expires_at=0)
ADMIN = Standing(role="admin", status="active")


def frame(position: int) -> Frame:
    """Return a change."""
    return Frame(position, b"data")


async def test_changes_are_taken_in_order_and_once() -> None:
    """Up to as many as it holds."""
    subscription = Subscription(CALLER, None, limit=3)
    for position in (1, 2, 3):
        subscription.offer(frame(position))

    assert [each.position for each in await subscription.take(within_s=1)] == [1, 2, 3]
    assert await subscription.take(within_s=0.01) == []


async def test_one_too_many_leaves_it_behind() -> None:
    """Then it holds nothing, however much comes: there is a gap until it begins anew."""
    subscription = Subscription(CALLER, None, limit=3)
    for position in range(10):
        subscription.offer(frame(position))

    assert subscription.behind
    assert await subscription.take(within_s=1) == []
    subscription.reset()
    subscription.offer(frame(11))
    assert [each.position for each in await subscription.take(within_s=1)] == [11]


async def test_news_of_the_caller_wake_the_stream() -> None:
    """Who is shut out is not kept until something else happens."""
    subscription = Subscription(CALLER, None, limit=3)
    taking = asyncio.create_task(subscription.take(within_s=60))
    await asyncio.sleep(0)
    subscription.learn(Standing(role="user", status="banned"))
    async with asyncio.timeout(20):
        assert await taking == []

    assert subscription.standing == Standing(role="user", status="banned")


def test_who_sees_all_is_settled_at_the_beginning() -> None:
    """A stream whose caller's role changes ends."""
    subscription = Subscription(CALLER, ADMIN, limit=3)
    subscription.learn(None)

    assert subscription.sees_all
