"""Senders who behave as Svix does: every webhook again and again until it is answered 202."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from deploy.stack.ports import LOOPBACK
from tests.chaos.stories import webhook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.workers.order.facts import Told


@dataclass(kw_only=True)
class Crowd:
    """Sends webhooks to an ingest, several at a time."""

    port: int
    senders: int = 8
    pause_s: float = 0.0
    """How long a sender rests after each webhook."""
    accepted: set[str] = field(default_factory=set)
    """The svix-ids that were answered 202."""
    refused: int = 0
    """How often the answer was 503, or none."""

    async def tell(self, told: Iterable[Told]) -> None:
        """Return when every webhook has been answered 202."""
        waiting = iter(told)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            await asyncio.gather(*(self._send(session, waiting) for _ in range(self.senders)))

    async def _send(self, session: aiohttp.ClientSession, waiting: Iterable[Told]) -> None:
        for told in waiting:
            while not await self._post(session, told):
                self.refused += 1
                await asyncio.sleep(0.1)
            self.accepted.add(told.event_id)
            await asyncio.sleep(self.pause_s)

    async def _post(self, session: aiohttp.ClientSession, told: Told) -> bool:
        body, headers = webhook(told)
        url = f"http://{LOOPBACK}:{self.port}/webhooks/clerk"
        try:
            async with session.post(url, data=body, headers=headers) as response:
                assert response.status in {202, 503}, await response.text()
                return response.status == 202
        except (aiohttp.ClientError, TimeoutError):
            return False
