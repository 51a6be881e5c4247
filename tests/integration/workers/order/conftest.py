"""A database that waits for no disk: what these tests prove is no matter of fsync."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Pool = asyncpg.Pool[asyncpg.Record]


@pytest.fixture
async def quick_pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool wide enough for many workers, on this test's own database."""
    settings = {"synchronous_commit": "off", "statement_timeout": "30s"}
    async with asyncpg.create_pool(
        database_url, min_size=0, max_size=12, server_settings=settings
    ) as pool:
        yield pool


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say on the terminal how much was tried, which pytest would hide."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return say
