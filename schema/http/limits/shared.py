"""Counting in Redis, so that several processes share their limits, and doing without it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from schema.http.limits.windows import count

if TYPE_CHECKING:
    from prometheus_client import Counter

    from schema.http.limits.rules import Rule
    from schema.http.limits.windows import Level

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 0.5
"""A request waits no longer to be counted."""
PAUSE_S: Final = 2.0
"""After a failure nobody asks Redis for this long; then one request finds out if it is back."""
CONNECTIONS: Final = 50
"""Requests that can be counted at once; others wait for a connection, within the time above."""


class RedisWindows:
    """Windows of all processes that know this Redis. While it is away, nobody is limited.

    Limits protect from greed, not from entry: a Redis that is away must not keep callers out.
    """

    def __init__(self, url: str, *, failures: Counter) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        options: dict[str, Any] = {"connection_pool": self._pool}
        self._storage = RedisStorage(
            url, implementation="redispy", key_prefix="clerkwork", **options
        )
        self._failures = failures
        self._away = False
        self._ask_at = 0.0

    async def take(self, rule: Rule, who: str) -> Level | None:
        """Count a request of `who`; None while Redis is away."""
        if self._away:
            now = time.monotonic()
            if now < self._ask_at:
                return None
            self._ask_at = now + PAUSE_S  # the others go on without
        try:
            async with asyncio.timeout(TIMEOUT_S):
                level = await count(self._storage, rule, who)
        except (RedisError, OSError, TimeoutError) as error:
            self._fail(error)
            return None
        if self._away:
            self._away = False
            log.info("rate_limits_shared")
        return level

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    def _fail(self, error: Exception) -> None:
        self._failures.inc()
        if not self._away:
            log.warning("rate_limits_unchecked", reason=type(error).__name__)
        self._away = True
        self._ask_at = time.monotonic() + PAUSE_S
