"""Ask Clerk's Backend API: within its limits, with patience, and never more than once too often."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_before_delay,
    wait_exponential_jitter,
)

from schema import VERSION
from schema.clerk.answer import clock_of, pause_of, refusal_of, says_absent
from schema.clerk.budget import Budget
from schema.clerk.errors import (
    ClerkError,
    ClerkRefusedError,
    ClerkUnavailableError,
    NotAtClerkError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from schema.clerk.settings import ClerkSettings

__all__ = [
    "API_VERSION",
    "Answer",
    "Clerk",
    "ClerkError",
    "ClerkRefusedError",
    "ClerkUnavailableError",
    "NotAtClerkError",
    "opened_clerk",
]

log = structlog.get_logger(__name__)

API_VERSION: Final = "2026-05-12"
"""The version of Clerk's API that we read; its answers do not change under it."""

TIMEOUT_S: Final = 30.0
"""How long one answer may take; Clerk gives up earlier."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""500 users of 100 kB, which is more than Clerk lets anybody keep of one."""

_backoff: Final = wait_exponential_jitter(multiplier=0.2, max=10.0, jitter=0.5)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Clerk said."""

    body: bytes
    clock_ms: int
    """Clerk's clock, from the answer's Date; to the second."""


class _NotNowError(Exception):
    """Ask again."""


class _AskedToWaitError(_NotNowError):
    """Ask again when the budget's pause is over."""


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
            "User-Agent": f"clerkwork/{VERSION}",
        }
        self._budget = Budget(requests_per_10_s)
        self._patience_s = patience_s
        self.requests = 0
        """How many requests there were, those asked again included."""

    @property
    def waited_s(self) -> float:
        """For how long requests have waited for the limit, all together."""
        return self._budget.waited_s

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Answer:
        """Return what Clerk answers at `path`, which begins with a slash.

        Raises NotAtClerkError, ClerkRefusedError, ClerkUnavailableError.
        """
        give_up_at = time.monotonic() + self._patience_s
        again = AsyncRetrying(
            retry=retry_if_exception_type(_NotNowError),
            wait=_wait_s,
            stop=stop_before_delay(self._patience_s),
            reraise=True,
        )
        try:
            return await again(self._ask, path, query, give_up_at)
        except _NotNowError:
            raise ClerkUnavailableError from None

    async def _ask(
        self, path: str, query: Mapping[str, str | int] | None, give_up_at: float
    ) -> Answer:
        async with self._budget.spend(max(0.0, give_up_at - time.monotonic())):
            self.requests += 1
            left_s = max(0.1, give_up_at - time.monotonic())
            try:
                async with self._session.get(
                    self._url + path,
                    params=query,
                    headers=self._headers,
                    timeout=aiohttp.ClientTimeout(total=min(TIMEOUT_S, left_s)),
                    allow_redirects=False,
                ) as response:
                    return self._judge(response, await _read(response))
            except (aiohttp.ClientError, OSError) as error:
                log.warning("clerk_not_now", reason=type(error).__name__)
                raise _NotNowError from None

    def _judge(self, response: aiohttp.ClientResponse, body: bytes) -> Answer:
        clock_ms = clock_of(response.headers)
        if response.status == 200:
            return Answer(body=body, clock_ms=clock_ms or time.time_ns() // 1_000_000)
        if response.status == 404 and clock_ms is not None and says_absent(body):
            raise NotAtClerkError(clock_ms)
        if response.status == 429:
            self._budget.pause(pause_of(response.headers))
            log.warning("clerk_not_now", status=response.status)
            raise _AskedToWaitError
        if response.status < 500:
            raise refusal_of(response.status, body)
        log.warning("clerk_not_now", status=response.status)
        raise _NotNowError


@contextlib.asynccontextmanager
async def opened_clerk(
    settings: ClerkSettings, *, patience_s: float = 300.0
) -> AsyncIterator[Clerk]:
    """Have somebody to ask while the context lasts."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Clerk(
            session,
            url=str(settings.clerk_api_url),
            secret_key=settings.clerk_secret_key.get_secret_value(),
            requests_per_10_s=settings.requests_per_10_s,
            patience_s=patience_s,
        )


def _wait_s(state: RetryCallState) -> float:
    asked = state.outcome is not None and isinstance(state.outcome.exception(), _AskedToWaitError)
    return 0.0 if asked else _backoff(state)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raises ClerkUnavailableError when it is larger than we take."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ClerkUnavailableError("Clerk's answer is larger than any of its lists can be")
    return bytes(body)
