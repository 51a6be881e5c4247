"""Deliver the planned webhooks as Clerk would, and kill the worker while they are on their way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from deploy.demo.webhook import Fate
from deploy.post import Answer, Delivery, opened_session, paced, post
from deploy.sign import new_signing_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

    from deploy.demo.board import Board
    from deploy.demo.plan import Plan
    from deploy.demo.webhook import Webhook
    from deploy.system import System

STREAM_S: Final = 5.0
"""How long the stream lasts at least: long enough to be watched."""
CRASH_AT: Final = 0.4
"""The worker is killed once this part of the stream has been sent."""
DOWN_S: Final = 1.0
"""How long it stays dead."""
ATTEMPTS: Final = 5
"""Clerk tries eight times over a day; here a second apart."""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """One delivery and how it was answered in the end."""

    webhook: Webhook
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Crash:
    """How it was when the worker was killed."""

    sent: int
    waiting: int
    """How many records nobody had committed when it came back."""


async def deliver(plan: Plan, system: System, board: Board) -> list[Delivered]:
    """Send everything, in the order of the plan, and return the answers."""
    delivered: list[Delivered] = []
    forger = new_signing_secret()

    async with opened_session() as session:

        async def send(webhook: Webhook) -> None:
            secret = forger if webhook.fate is Fate.REFUSED else system.signing_secret
            answer = await _insist(session, system.webhooks_url, webhook, secret=secret)
            board.answers[answer.code] += 1
            board.tell()
            delivered.append(Delivered(webhook=webhook, answer=answer))

        await paced(
            (partial(send, webhook) for webhook in plan.deliveries),
            per_second=len(plan.deliveries) / STREAM_S,
        )
    return delivered


async def _insist(
    session: aiohttp.ClientSession, url: str, webhook: Webhook, *, secret: str
) -> Answer:
    """Try again after 503 and after silence, as Clerk does."""
    delivery = Delivery(event_id=webhook.event_id, body=webhook.body)
    for _ in range(ATTEMPTS - 1):
        answer = await post(session, url, delivery, secret=secret)
        if answer.status not in (None, 503):
            return answer
        await asyncio.sleep(1)
    return await post(session, url, delivery, secret=secret)


async def crash(system: System, board: Board, note: Callable[[str], None]) -> Crash:
    """Kill the worker in mid-stream, with SIGKILL, and start it again a little later."""
    await board.wait_until(lambda: board.sent >= CRASH_AT * board.planned and board.events > 0)
    board.worker = "killed"
    sent = board.sent
    await asyncio.to_thread(system.services.kill, "worker")
    note(f"worker killed with SIGKILL after {sent} webhooks, {board.events} events in the ledger")
    await asyncio.sleep(DOWN_S)
    board.worker = "starting"
    waiting = board.waiting
    await asyncio.to_thread(system.services.start, "worker")
    board.worker = "running"
    board.life += 1
    note(f"worker started again: {waiting} records had been waiting for it")
    return Crash(sent=sent, waiting=waiting)
