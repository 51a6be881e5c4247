"""A pool on this test's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schema.ops.settings import DatabaseSettings
from schema.postgres.pools import build_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg


@pytest.fixture
async def pool(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """The pool that a worker would use."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    async with build_pool(DatabaseSettings(), name="tests", min_size=0, max_size=4) as pool:
        yield pool
