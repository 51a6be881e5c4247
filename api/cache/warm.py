"""Warm: read what callers may ask for first, before they do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from api.cache.views import view_profile
from api.database import DRIVER_ERRORS, DatabaseUnavailableError, fetch, named_statements
from schema.postgres.rows import UsersRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.cache.reads import Cache, Loaded
    from api.database import Pool

log = structlog.get_logger(__name__)

WARM_S: Final = 5.0
"""It takes no longer; requests are served meanwhile."""

_SQL: Final = named_statements(__file__)


async def warm(cache: Cache, pool: Pool, *, users: int) -> None:
    """Keep the public profiles of up to so many users. Failing is only logged."""
    try:
        async with asyncio.timeout(WARM_S):
            kept = await cache.fill("show_user", lambda: _read_profiles(pool, users))
    except (DatabaseUnavailableError, *DRIVER_ERRORS) as error:
        log.warning("cache_not_warmed", reason=type(error).__name__)
    else:
        log.debug("cache_warmed", entries=kept)


async def _read_profiles(pool: Pool, users: int) -> Mapping[str, Loaded]:
    rows = await fetch(pool, _SQL["warm_users"], users)
    found = (UsersRow(**dict(row)) for row in rows)
    return {user.id.hex: view_profile(user) for user in found}
