"""PostgreSQL as a large database needs it: the settings that deploy/docs/scale.md recommends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from deploy.stack.postgres import Postgres

_SQL: Final = read_statements(__file__)


async def make_large(postgres: Postgres) -> None:
    """Give a server these settings, and start it again: its buffers are chosen at the start."""
    connection = await asyncpg.connect(postgres.url)
    try:
        for row in await connection.fetch(_SQL["find_settings"]):
            await connection.execute(row["statement"])
    finally:
        await connection.close()
    await asyncio.to_thread(postgres.restart)
