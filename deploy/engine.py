"""SQLAlchemy's way to the database: the driver reads the URL, as it does for everybody else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from collections.abc import Mapping


def open_engine(database_url: str, *, session: Mapping[str, str] | None = None) -> AsyncEngine:
    """Return what Alembic needs to reach the database; it keeps no connection open.

    `session` has settings of PostgreSQL's. SQLAlchemy does not know what the URL may say of TLS,
    nor several hosts, and would hand on the rest.
    """
    connect = partial(asyncpg.connect, database_url, server_settings=dict(session or {}))
    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
