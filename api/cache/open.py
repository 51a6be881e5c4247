"""Open the cache: keep it current and warm it, for as long as the application runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api.admit import GATE
from api.cache.follow import CacheObserver
from api.cache.reads import CACHE, Cache
from api.cache.rules import Policy, parse_rules
from api.cache.warm import warm
from api.database import POOL
from schema.ops.metrics.cache import CacheMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web
    from prometheus_client import CollectorRegistry

    from api.follow import Tail
    from api.settings import ApiSettings


@asynccontextmanager
async def open_cache(
    app: web.Application, settings: ApiSettings, *, tail: Tail, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Put the cache where handlers find it; without rules or room it keeps nothing."""
    rules = parse_rules(settings.api_cache) if settings.api_cache_max_bytes else {}
    metrics = CacheMetrics(registry, endpoints=rules)
    policy = Policy(rules, settings.api_cache_max_bytes, settings.api_cache_stale_s)
    cache = Cache(policy, trusted_until=tail.trusted_until, metrics=metrics)
    app[CACHE] = cache
    keeping = asyncio.create_task(_keep(cache, app, tail, users=settings.api_cache_warm))
    yield
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await cache.close()


async def _keep(cache: Cache, app: web.Application, tail: Tail, *, users: int) -> None:
    """Keep the cache current until cancelled."""
    if not cache.rules:
        return
    observer = CacheObserver(cache, app[GATE])
    with tail.observed(observer):
        await observer.begun.wait()
        if users:
            await warm(cache, app[POOL], users=users)
        await asyncio.Event().wait()
