"""Warm: read what callers may ask for first, before they do."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from api.cache.views import view_post, view_posts, view_profile
from api.database import DRIVER_ERRORS, DatabaseUnavailableError, fetch, named_statements
from api.page import DEFAULT_LIMIT, MAX_LIMIT, Page
from api.read.posts import list_posts
from api.read.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.cache.reads import Cache, Loaded
    from api.database import Pool

log = structlog.get_logger(__name__)

WARM_S: Final = 5.0
"""It takes no longer; requests are served meanwhile."""

_SQL: Final = named_statements(__file__)


async def warm(cache: Cache, pool: Pool, *, users: int) -> None:
    """Keep the newest posts, and the public profiles of up to so many users.

    Failing is only logged.
    """
    reads = {
        "list_posts": partial(_read_page, pool),
        "show_post": partial(_read_posts, pool),
        "show_user": partial(_read_profiles, pool, users),
    }
    kept = 0
    try:
        async with asyncio.timeout(WARM_S):
            for name in reads.keys() & cache.rules.keys():
                kept += await cache.fill(name, reads[name])
    except (DatabaseUnavailableError, *DRIVER_ERRORS) as error:
        log.warning("cache_not_warmed", reason=type(error).__name__)
    else:
        log.debug("cache_warmed", entries=kept)


async def _read_page(pool: Pool) -> Mapping[str, Loaded]:
    return {str(DEFAULT_LIMIT): view_posts(await list_posts(pool, Page(), drafts=False))}


async def _read_posts(pool: Pool) -> Mapping[str, Loaded]:
    found = await list_posts(pool, Page(limit=MAX_LIMIT), drafts=False)
    return {post.id.hex: view_post(post) for post in found.rows}


async def _read_profiles(pool: Pool, users: int) -> Mapping[str, Loaded]:
    rows = await fetch(pool, _SQL["warm_users"], users)
    found = (Profile(*row) for row in rows)
    return {user.id.hex: view_profile(user) for user in found}
