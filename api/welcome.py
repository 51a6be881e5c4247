"""Welcome a newcomer: ask Clerk, publish what it answers, wait until a worker has applied it.

The path of every other snapshot, so that one row comes of it whatever webhooks say meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import aiohttp

from api.admit import GATE
from api.newcomers import NEWCOMERS, Newcomers
from api.wait import WAITS, version_goal
from schema.clerk.client import Clerk, ClerkRefusedError, ClerkUnavailableError, NotAtClerkError
from schema.clerk.find import find_user
from schema.clerk.settings import allowed_requests
from schema.http.errors import HttpError
from schema.kafka.clerk import MalformedEventError
from schema.kafka.connections import connection_arguments
from schema.kafka.producer import BrokerUnavailableError, Producer
from schema.kafka.snapshots import write_snapshot
from schema.ops.breakers import Breaker, BreakerOpenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiohttp import web
    from prometheus_client import Gauge

    from api.newcomers import Outcome
    from api.settings import ApiSettings
    from api.wait import Waits
    from schema.http.tokens.claims import Caller
    from schema.ops.metrics import ApiMetrics

PATIENCE_S: Final = 2.0
"""How long a request may take longer for it, in all."""
ASK_S: Final = 1.5
"""How much of that Clerk may take."""
BREAKER_OPEN_S: Final = 5.0
"""How long Clerk is left alone before the next try."""

_OUTCOMES: Final[Mapping[type[Exception], Outcome]] = {
    NotAtClerkError: "absent",
    ClerkRefusedError: "clerk_refused",
    ClerkUnavailableError: "clerk_unavailable",
    BreakerOpenError: "clerk_unavailable",
    BrokerUnavailableError: "kafka_unavailable",
    TimeoutError: "kafka_unavailable",
    MalformedEventError: "unreadable",
}
"""What is in the way -> what came of it."""


class Welcome:
    """Fetches one user at a time for whoever asks."""

    def __init__(self, *, clerk: Clerk, producer: Producer, waits: Waits, gauge: Gauge) -> None:
        """`gauge` shows the circuit breaker before Clerk."""
        self._clerk = clerk
        self._producer = producer
        self._waits = waits
        self._breaker = Breaker(
            "clerk",
            open_s=BREAKER_OPEN_S,
            # A refusal is one of the key, and the same for everybody.
            judge=lambda error: not isinstance(error, NotAtClerkError),
            gauge=gauge,
        )

    async def fetch(self, caller: Caller) -> Outcome:
        """Return what came of it, within PATIENCE_S."""
        if not self._producer.connected:
            return "kafka_unavailable"  # what Clerk would answer could not be kept
        now = asyncio.get_running_loop().time
        give_up_at = now() + PATIENCE_S
        try:
            seen_ms = time.time_ns() // 1_000_000
            answer = await self._ask(caller)
            async with asyncio.timeout_at(give_up_at):
                await self._publish(answer, caller, seen_ms=seen_ms)
        except tuple(_OUTCOMES) as error:
            return next(each for kind, each in _OUTCOMES.items() if isinstance(error, kind))
        return "arrived" if await self._wait(caller, give_up_at - now()) else "late"

    async def _ask(self, caller: Caller) -> bytes:
        with self._breaker.guard():
            try:
                async with asyncio.timeout(ASK_S):
                    return (await find_user(self._clerk, caller.clerk_id)).body
            except TimeoutError:
                raise ClerkUnavailableError from None

    async def _publish(self, answer: bytes, caller: Caller, *, seen_ms: int) -> None:
        record = write_snapshot("user", answer, looker="api", seen_ms=seen_ms)
        if record.key != caller.clerk_id.encode():
            raise MalformedEventError("$.data.id", "not whom Clerk was asked for")
        await self._producer.send(record)

    async def _wait(self, caller: Caller, within_s: float) -> bool:
        goal = version_goal(caller.user_id, 0)
        try:
            return await self._waits.until_reached(goal, within_s=within_s, caller=caller)
        except HttpError:
            return False  # too many wait already


def await_newcomers(
    settings: ApiSettings, metrics: ApiMetrics
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Have newcomers fetched from the application's start to its end; after WAITS are there.

    The settings have a secret key. It starts without Clerk and without Kafka.
    """

    async def newcomers_context(app: web.Application) -> AsyncIterator[None]:
        producer = Producer(
            connection_arguments(settings.kafka), client_id="clerkwork-api", timeout_s=PATIENCE_S
        )
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar) as session, producer.running():
            welcome = Welcome(
                clerk=_clerk(settings, session),
                producer=producer,
                waits=app[WAITS],
                gauge=metrics.breaker_open,
            )
            metrics.newcomers.served.set_function(lambda: float(producer.connected))
            newcomers = app[NEWCOMERS] = Newcomers(
                welcome.fetch, forget=app[GATE].forget, metrics=metrics
            )
            yield
            await newcomers.close()

    return newcomers_context


def _clerk(settings: ApiSettings, session: aiohttp.ClientSession) -> Clerk:
    assert settings.clerk_secret_key is not None  # noqa: S101  # nobody calls this without
    secret_key = settings.clerk_secret_key.get_secret_value()
    return Clerk(
        session,
        url=str(settings.clerk_api_url),
        secret_key=secret_key,
        requests_per_10_s=allowed_requests(secret_key, settings.api_clerk_share),
        patience_s=ASK_S,
    )
