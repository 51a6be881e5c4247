"""Bring a database to the declared state: revisions first, then partitions for the months ahead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

import schema.postgres
from deploy.partitions import (
    MONTHS_AHEAD,
    add_month,
    connected,
    find_missing,
    index_default,
    month_of,
    wait_for_others,
)
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_SQL: Final = read_statements(__file__)
_MIGRATIONS: Final = Path(schema.postgres.__file__).parent / "migrations"


async def migrate(database_url: str) -> str:
    """Run every revision that the database has not seen, and return the one it is at.

    All in one transaction under an advisory lock, partitions after it: a second call waits and then
    finds nothing to do. Raises what the driver raises when the database is not there.
    """
    engine = create_async_engine(
        sa.make_url(database_url).set(drivername="postgresql+asyncpg"), poolclass=NullPool
    )
    async with engine.begin() as connection:
        await connection.execute(sa.text(_SQL["wait_for_other_migrations"]))
        await connection.run_sync(_upgrade)
        revision = await _current_revision(connection)
    await _create_partitions(database_url)
    return revision


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _current_revision(connection: AsyncConnection) -> str:
    return str(await connection.scalar(sa.text(_SQL["current_revision"])))


async def _create_partitions(database_url: str) -> None:
    async with connected(database_url) as connection:
        await wait_for_others(connection)
        await index_default(connection)
        now: datetime = await connection.fetchval("SELECT now()")
        last_month = month_of(now, plus=-1)
        for month in await find_missing(connection, now=now, ahead=MONTHS_AHEAD, since=last_month):
            await add_month(connection, month)
