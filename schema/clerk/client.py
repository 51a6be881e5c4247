"""Ask Clerk's Backend API: within its limits, with patience, and never more than once too often."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from schema.clerk.settings import ClerkSettings

log = structlog.get_logger(__name__)

API_VERSION: Final = "2026-05-12"
"""The version of Clerk's API that we read; its answers do not change under it."""

TIMEOUT_S: Final = 30.0
"""How long one answer may take; Clerk gives up earlier."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""500 users of 100 kB, which is more than Clerk lets anybody keep of one."""


class ClerkUnavailableError(Exception):
    """Not now: Clerk did not answer, or asked us to wait for longer than we may."""


class ClerkRefusedError(Exception):
    """Clerk understood and refused: a wrong key, or a question that it does not take."""

    def __init__(self, status: int, code: str | None = None) -> None:
        super().__init__(f"Clerk answered {status}{f' ({code})' if code else ''}")
        self.status = status
        self.code = code


class NotAtClerkError(Exception):
    """Clerk has no such thing. `clock_ms` is what its clock said then."""

    def __init__(self, clock_ms: int) -> None:
        super().__init__("Clerk has no such thing")
        self.clock_ms = clock_ms


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Clerk said."""

    body: bytes
    clock_ms: int
    """Clerk's clock, from the answer's Date; to the second."""


class Clerk:
    """Asks; safe for concurrent use, all within one budget."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        url: str,
        secret_key: str,
        requests_per_10_s: int,
        patience_s: float = 300.0,
    ) -> None:
        """`patience_s`: for how long one question is asked again while Clerk does not answer it."""
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {secret_key}",
            "Clerk-API-Version": API_VERSION,
            "Accept": "application/json",
        }
        self._limit = RateLimitItemPerSecond(requests_per_10_s, 10)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._patience_s = patience_s
        self._timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._asked_to_wait_until = 0.0

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Answer:
        """Return what Clerk answers at `path`, which begins with a slash.

        Raises NotAtClerkError, ClerkRefusedError, ClerkUnavailableError.
        """
        give_up_at = time.monotonic() + self._patience_s
        pause_s = 0.2
        while True:
            await self._await_turn(give_up_at)
            answer = await self._ask(path, query)
            if answer is not None:
                return answer
            if time.monotonic() + pause_s > give_up_at:
                raise ClerkUnavailableError
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 10.0)

    async def _await_turn(self, give_up_at: float) -> None:
        while True:
            wait_s = self._asked_to_wait_until - time.monotonic()
            if wait_s <= 0 and await self._limiter.hit(self._limit, "clerk"):
                return
            if time.monotonic() + max(wait_s, 0) > give_up_at:
                raise ClerkUnavailableError
            await asyncio.sleep(max(wait_s, 0.01))

    async def _ask(self, path: str, query: Mapping[str, str | int] | None) -> Answer | None:
        try:
            async with self._session.get(
                self._url + path,
                params=query,
                headers=self._headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await response.read()
                clock_ms = _clock_ms(response.headers)
                if response.status == 200:
                    return Answer(body=body, clock_ms=clock_ms)
                if response.status == 404:
                    raise NotAtClerkError(clock_ms)
                if response.status == 429:
                    self._pause(response.headers.get("Retry-After"))
                elif response.status < 500:
                    raise ClerkRefusedError(response.status)
                log.warning("clerk_not_now", status=response.status)
        except (aiohttp.ClientError, OSError) as error:
            log.warning("clerk_not_now", reason=type(error).__name__)
        return None

    def _pause(self, retry_after: str | None) -> None:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else 1.0
        self._asked_to_wait_until = max(self._asked_to_wait_until, time.monotonic() + seconds)


@contextlib.asynccontextmanager
async def opened_clerk(
    settings: ClerkSettings, *, patience_s: float = 300.0
) -> AsyncIterator[Clerk]:
    """Have somebody to ask while the context lasts."""
    async with aiohttp.ClientSession() as session:
        yield Clerk(
            session,
            url=str(settings.clerk_api_url),
            secret_key=settings.clerk_secret_key.get_secret_value(),
            requests_per_10_s=settings.requests_per_10_s,
            patience_s=patience_s,
        )


def _clock_ms(headers: Mapping[str, str]) -> int:
    try:
        return int(parsedate_to_datetime(headers["Date"]).timestamp() * 1000)
    except (KeyError, ValueError):
        return time.time_ns() // 1_000_000
