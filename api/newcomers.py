"""Newcomers: signed-in users who are not here yet, each of whom Clerk is asked for once.

A user is signed in a moment before Clerk's webhook of them is here. Only somebody whose token was
verified is ever asked for, by nobody but themselves, so that strangers cannot make us ask.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import structlog
from aiohttp import web
from cachetools import TLRUCache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from uuid import UUID

    from schema.http.tokens.claims import Caller
    from schema.ops.metrics import ApiMetrics

log = structlog.get_logger(__name__)

Outcome: TypeAlias = Literal[
    "arrived",
    "late",
    "absent",
    "clerk_unavailable",
    "clerk_refused",
    "kafka_unavailable",
    "unreadable",
    "failed",
]
"""What can come of fetching somebody; see NEWCOMERS of the metrics."""

MAX_AT_ONCE: Final = 20
"""Who comes while so many are being fetched is answered at once, as if nobody could be."""
MAX_REMEMBERED: Final = 10_000
"""Of how many it is known that they need not be asked for; the oldest make room."""
PAUSE_S: Final = 5.0
"""Nobody is asked for again for this long."""
PAUSES_S: Final[Mapping[Outcome, float]] = {"absent": 60.0, "late": 30.0, "unreadable": 60.0}
"""Where that is longer: what Clerk does not have, and what is in Kafka already."""


class Newcomers:
    """Asks once, however many requests come; bounded in how many, how often and how long."""

    def __init__(
        self,
        fetch: Callable[[Caller], Awaitable[Outcome]],
        *,
        forget: Callable[[UUID], None],
        metrics: ApiMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` has a caller's user fetched and applied, within a time of its own.

        `forget` is told afterwards of whom what was known may be old.
        """
        self._fetch = fetch
        self._forget = forget
        self._metrics = metrics
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._pauses: TLRUCache[str, float] = TLRUCache(
            MAX_REMEMBERED, ttu=lambda _, pause_s, now: now + pause_s, timer=clock
        )

    async def welcome(self, caller: Caller) -> bool:
        """Return whether it is worth looking for the caller's user again.

        Raises nothing. A request that goes away takes the answer from no other.
        """
        fetching = self._fetching.get(caller.clerk_id)
        if fetching:
            self._count("joined")
        elif caller.clerk_id in self._pauses:
            self._count("remembered")
            return False
        elif len(self._fetching) >= MAX_AT_ONCE:
            self._count("busy")
            return False
        else:
            fetching = asyncio.create_task(self._settle(caller))
            self._fetching[caller.clerk_id] = fetching
        await asyncio.shield(fetching)
        return True

    async def close(self) -> None:
        """Let go whom is being fetched."""
        fetching = list(self._fetching.values())
        for each in fetching:
            each.cancel()
        await asyncio.gather(*fetching, return_exceptions=True)

    async def _settle(self, caller: Caller) -> None:
        outcome: Outcome = "failed"
        try:
            with self._metrics.newcomers.seconds.time():
                outcome = await self._fetch(caller)
        except Exception:
            # The request had an answer before anybody thought of asking Clerk.
            log.exception("newcomer_failed", user_id=caller.clerk_id)
        finally:
            del self._fetching[caller.clerk_id]
            self._pauses[caller.clerk_id] = PAUSES_S.get(outcome, PAUSE_S)
            self._forget(caller.user_id)
        self._count(outcome)
        log.info("newcomer_fetched", user_id=caller.clerk_id, outcome=outcome)

    def _count(self, outcome: str) -> None:
        self._metrics.newcomers.outcomes.labels(outcome).inc()


NEWCOMERS: Final = web.AppKey("newcomers", Newcomers)
"""Where the gate finds them, if there is a key to ask Clerk with."""
