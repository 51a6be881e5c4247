"""Clerk's public keys as Clerk serves them (JWKS): fetched when needed, kept, refreshed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import aiohttp
import jwt
import msgspec
import structlog

from schema.http.tokens.keys import RETRY_AFTER_S, KeysUnavailableError, UnknownKeyError, parse_jwks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

log = structlog.get_logger(__name__)

TTL_S: Final = 3600.0
"""How long a fetched set is taken as current; afterwards it still serves while Clerk is away."""

SUCCESS_PAUSE_S: Final = 30.0
"""After a fetch, tokens with unknown key ids cause none for this long."""

FAILURE_PAUSE_S: Final = float(RETRY_AFTER_S)
"""After a failed fetch, none is tried for this long."""

FETCH_TIMEOUT_S: Final = 3.0
"""A request waits no longer for keys."""

MAX_JWKS_BYTES: Final = 64 * 1024
"""A real set has one to three keys of half a kilobyte."""


FETCH_ERRORS: Final = (
    aiohttp.ClientError,
    OSError,  # TimeoutError is one
    ValueError,
    RecursionError,
    msgspec.DecodeError,
    jwt.PyJWKSetError,
)
"""Whatever a network, a proxy's error page or a stranger's JSON can do to a fetch."""


async def fetch_jwks(session: aiohttp.ClientSession, url: str) -> bytes:
    """Return what `url` serves, bounded in time and size. Raises one of FETCH_ERRORS."""
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
    async with session.get(url, timeout=timeout, allow_redirects=False) as response:
        if response.status != 200:
            raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_JWKS_BYTES:
                raise aiohttp.ClientPayloadError
        return bytes(body)


class JwksKeys:
    """The keys that `fetch` returns the JSON of, fetched when they are needed and kept in memory.

    At most one fetch is under way at a time, and pauses lie between them, so that neither a burst
    of requests nor a flood of invented key ids becomes a burst of fetches. A failure opens the
    circuit: nobody asks, nor waits, for FAILURE_PAUSE_S, then one request tries. Who names a key
    that is known never waits: a stale set serves while it is fetched anew.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._stale_at = clock()
        self._next_fetch_at = clock()
        self._failed = False
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def failing(self) -> bool:
        """Whether Clerk is left alone because the last fetch failed a moment ago."""
        return self._failed and self._clock() < self._next_fetch_at

    async def find(self, key_id: str | None) -> RSAPublicKey:
        """Return the key named in a token's `kid`; see KeySource."""
        if key_id in self._keys:
            self._keep_fresh()
        else:
            await self._refresh()
        key = self._keys.get(key_id or "")
        if key is not None:
            return key
        if self._failed:
            raise KeysUnavailableError
        raise UnknownKeyError

    async def check(self) -> None:
        """Return when a set is cached or can be fetched. Raises KeysUnavailableError."""
        if self._keys:
            self._keep_fresh()
        else:
            await self._refresh()
        if not self._keys:
            raise KeysUnavailableError

    def _keep_fresh(self) -> None:
        now = self._clock()
        if now < self._stale_at or now < self._next_fetch_at or self._lock.locked():
            return
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        async with self._lock:
            if self._clock() < self._next_fetch_at:
                return
            try:
                self._keys = parse_jwks(await self._fetch())
            except FETCH_ERRORS as error:
                log.warning("jwks_not_fetched", reason=type(error).__name__)
                self._failed = True
            else:
                log.info("jwks_fetched", keys=len(self._keys))
                self._failed = False
                self._stale_at = self._clock() + TTL_S
            pause = FAILURE_PAUSE_S if self._failed else SUCCESS_PAUSE_S
            self._next_fetch_at = self._clock() + pause
