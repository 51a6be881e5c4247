"""Make the shadow: a schema beside the live one, with the same tables, and nothing in them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import asyncpg

from deploy.contracts import catalog
from deploy.contracts.catalog import Subject
from deploy.contracts.compare import compare_facts
from deploy.engine import open_engine
from deploy.errors import OperatorError
from deploy.revisions import HEAD, run_revisions
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from deploy.contracts.catalog import Facts

    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

SHADOW: Final = "rebuild"
"""The schema; what a rebuild that was broken off has left there is dropped by the next."""

KEPT: Final = "before_rebuild"
"""The schema of the tables that were replaced, where somebody wanted to keep them."""

TABLES: Final = (
    *("users", "user_data", "user_names", "sessions"),
    *("organizations", "organization_memberships", "organization_invitations"),
)
"""What is rebuilt, in the order in which it is locked: users first, as workers do."""

_COMMAND_TIMEOUT_S: Final = 60.0
_SQL: Final = read_statements(__file__)
_FACTS: Final = read_statements(catalog.__file__)["facts"].replace(":temporary", "false")


async def make_shadow(connection: Connection, database_url: str) -> None:
    """Make the tables as the migrations do, empty but for what operators have decided.

    Raises OperatorError when the live ones are not what the migrations make: what is special about
    them would be lost. `connection` must be the only one at it.
    """
    await drop_shadow(connection)
    await connection.execute(_SQL["create_shadow"])
    engine = open_engine(database_url, session={"search_path": SHADOW})
    async with engine.begin() as shadow:
        await shadow.run_sync(run_revisions, to=HEAD)
    await require_no_obstacle(connection)
    await _require_same_tables(connection)
    await connection.execute(_SQL["seed_restorations"])


async def drop_shadow(connection: Connection) -> None:
    """Drop the shadow, and whatever is in it."""
    await connection.execute(_SQL["drop_shadow"])


@contextlib.asynccontextmanager
async def opened_shadow(database_url: str) -> AsyncIterator[Pool]:
    """Have connections that see nothing but the shadow; no batch there waits for the disk.

    The swap, which does, comes after them in the log.
    """
    settings = {
        "application_name": "clerkwork-rebuild",
        "idle_in_transaction_session_timeout": "10s",
        "jit": "off",
        "search_path": SHADOW,
        "synchronous_commit": "off",
    }
    async with asyncpg.create_pool(
        database_url,
        min_size=0,
        max_size=1,
        timeout=5.0,
        command_timeout=_COMMAND_TIMEOUT_S,
        server_settings=settings,
    ) as pool:
        yield pool


async def require_no_obstacle(connection: Connection) -> None:
    """Raise OperatorError when something hangs on the live tables that a swap would tear off."""
    rows = await connection.fetch(_SQL["find_obstacles"], list(TABLES))
    if rows:
        named = "\n".join(f"{row['table']}: {row['what']}" for row in rows)
        raise OperatorError(
            "Something hangs on these tables, by their identity, that new ones would not have."
            f" Nothing was changed.\n{named}\n"
            "Drop it, rebuild, and make it again."
        )


async def _require_same_tables(connection: Connection) -> None:
    revisions = [row["version_num"] for row in await connection.fetch(_SQL["list_revisions"])]
    if len(set(revisions)) > 1:
        raise OperatorError(
            "The database in DATABASE_URL is not up to date. Run clerkwork migrate."
        )
    live = await _read_facts(connection)
    async with connection.transaction():
        await connection.execute(_SQL["look_at_shadow"])
        made = await _read_facts(connection)
    drift = "\n".join(
        str(each) for each in compare_facts(live, made, names=("the database", "the migrations"))
    )
    if drift:
        raise OperatorError(
            "The tables are not as the migrations make them, and new ones would be. Nothing was"
            f" changed.\n{drift}\n"
            "Bring them to what the migrations make, rebuild, and do again what is special."
        )


async def _read_facts(connection: Connection) -> Facts:
    rows = await connection.fetch(_FACTS)
    return {
        Subject(row["table"], row["column"], row["aspect"]): row["value"]
        for row in rows
        if row["table"] in TABLES
    }
