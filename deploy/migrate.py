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
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SQL: Final = read_statements(__file__)
_MIGRATIONS: Final = Path(schema.postgres.__file__).parent / "migrations"


async def migrate(database_url: str) -> str:
    """Run every revision that the database has not seen, and return the one it is at.

    All in one transaction under an advisory lock: a second call waits and then finds nothing to
    do. Raises what the driver raises when the database is not there.
    """
    engine = create_async_engine(
        sa.make_url(database_url).set(drivername="postgresql+asyncpg"), poolclass=NullPool
    )
    async with engine.begin() as connection:
        await connection.execute(sa.text(_SQL["wait_for_other_migrations"]))
        await connection.run_sync(_upgrade)
        await connection.execute(sa.text(_SQL["create_partitions"]))
        return await _current_revision(connection)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _current_revision(connection: AsyncConnection) -> str:
    return str(await connection.scalar(sa.text(_SQL["current_revision"])))
