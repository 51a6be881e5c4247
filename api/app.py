"""The API's composition root: settings in, an application out."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog
from aiohttp import web

from api import canary, changes, users
from api.admit import GATE, Gate
from api.bound import Places
from api.database import POOL, DatabaseUnavailableError, Pool, check_database
from api.follow import Tail
from api.stream import STREAMS, StreamLimits, Streams
from api.wait import WAITS, Waits
from schema.http.endpoints import add_endpoints
from schema.http.stack import put_stack
from schema.http.tokens.callers import AUTHENTICATOR, Authenticator
from schema.http.tokens.claims import TokenRules
from schema.http.tokens.jwks import JwksKeys, fetch_jwks
from schema.http.tokens.keys import KeySource, KeysUnavailableError, PemKey, parse_pem
from schema.ops.metrics import ApiMetrics, HttpMetrics, new_registry
from schema.ops.probes import CheckFailedError, add_probes
from schema.postgres.pools import build_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from api.settings import ApiSettings
    from schema.ops.probes import Check

log = structlog.get_logger(__name__)

KEYS: Final[web.AppKey[KeySource]] = web.AppKey("keys", KeySource)

POOL_SIZE: Final = 10
"""Reads take about a millisecond: ten connections serve thousands of them a second."""

WAITS_PER_USER: Final = 20
"""More requests of one caller do not wait for versions at once."""

CLOSE_S: Final = 5.0
"""After this long, connections that do not close are dropped."""


def build_app(settings: ApiSettings) -> web.Application:
    """Return the API, not started yet. It starts, and says it is not ready, without PostgreSQL."""
    registry = new_registry()
    metrics = ApiMetrics(registry)
    app = web.Application(client_max_size=64 * 1024)  # reads need no body at all
    app.cleanup_ctx.append(_open_pool(settings))
    app.cleanup_ctx.append(_open_keys(settings))
    app.cleanup_ctx.append(_open_tail(settings, metrics))
    app.on_shutdown.append(_end_streams)
    add_endpoints(app, (*users.ENDPOINTS, *changes.ENDPOINTS, *canary.ENDPOINTS))
    put_stack(app, settings, metrics=HttpMetrics(registry), limits=settings.api_rate_limits)
    app[GATE] = Gate()
    add_probes(
        app,
        registry=registry,
        live={},  # that the event loop answers is all there is to live
        ready=_ready_checks(app),
    )
    _warn_of_unchecked_claims(settings)
    return app


def _open_pool(settings: ApiSettings) -> Callable[[web.Application], AsyncIterator[None]]:
    async def pool_context(app: web.Application) -> AsyncIterator[None]:
        # min_size=0: connections are opened by the requests that need them, so that neither the
        # start nor the recovery depends on PostgreSQL being there at a certain moment.
        pool = build_pool(settings, name="clerkwork-api", min_size=0, max_size=POOL_SIZE)
        await pool
        app[POOL] = pool
        yield
        await _close_pool(pool)

    return pool_context


async def _close_pool(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def _open_tail(
    settings: ApiSettings, metrics: ApiMetrics
) -> Callable[[web.Application], AsyncIterator[None]]:
    limits = StreamLimits(
        heartbeat_s=settings.api_stream_heartbeat_s,
        patience_s=settings.api_stream_patience_s,
        buffer=settings.api_stream_buffer,
        outage_s=settings.api_stream_outage_s,
    )
    streams = Places(
        settings.api_streams,
        each=settings.api_streams_per_user,
        enough="TOO_MANY_STREAMS",
        full="STREAMS_EXHAUSTED",
    )
    waits = Places(
        settings.api_version_waits,
        each=WAITS_PER_USER,
        enough="TOO_MANY_WAITS",
        full="WAITS_EXHAUSTED",
    )

    async def tail_context(app: web.Application) -> AsyncIterator[None]:
        # All streams together need one connection, and no request has to wait for it.
        pool = build_pool(settings, name="clerkwork-api-tail", min_size=0, max_size=1)
        await pool
        tail = Tail(pool, check_s=limits.heartbeat_s)
        app[STREAMS] = Streams(
            pool=app[POOL], tail=tail, metrics=metrics, limits=limits, places=streams
        )
        app[WAITS] = Waits(app[POOL], tail=tail, metrics=metrics, places=waits)
        following = asyncio.create_task(tail.run())
        yield
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await app[WAITS].close()
        await _close_pool(pool)

    return tail_context


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].close()


def _open_keys(settings: ApiSettings) -> Callable[[web.Application], AsyncIterator[None]]:
    rules = TokenRules(issuer=settings.clerk_issuer, parties=settings.clerk_authorized_parties)

    async def keys_context(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            app[KEYS] = _choose_keys(settings, session)
            app[AUTHENTICATOR] = Authenticator(app[KEYS], rules)
            yield

    return keys_context


def _choose_keys(settings: ApiSettings, session: aiohttp.ClientSession) -> KeySource:
    if settings.clerk_jwt_key is not None:
        return PemKey(parse_pem(settings.clerk_jwt_key))
    return JwksKeys(partial(fetch_jwks, session, str(settings.clerk_jwks_url)))


def _ready_checks(app: web.Application) -> Mapping[str, Check]:
    async def database() -> None:
        try:
            await check_database(app[POOL])
        except DatabaseUnavailableError:
            raise CheckFailedError("PostgreSQL does not answer") from None

    async def keys() -> None:
        try:
            await app[KEYS].check()
        except KeysUnavailableError:
            raise CheckFailedError("Clerk's keys cannot be fetched") from None

    return {"database": database, "keys": keys}


def _warn_of_unchecked_claims(settings: ApiSettings) -> None:
    unset = [
        name
        for name, value in (
            ("CLERK_ISSUER", settings.clerk_issuer),
            ("CLERK_AUTHORIZED_PARTIES", settings.clerk_authorized_parties),
        )
        if not value
    ]
    if unset:
        log.warning("token_claims_unchecked", unset=unset)
