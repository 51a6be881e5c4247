"""A scratch database on the same server, that is dropped whatever happens."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
import sqlalchemy as sa

from deploy.errors import OperatorError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Connection = asyncpg.Connection[asyncpg.Record]

PREFIX: Final = "clerkwork_rehearsal_"
LOCK_TIMEOUT: Final = "5s"
"""Reading a table must not wait behind somebody who changes it, with others waiting behind us."""
_SQL: Final = read_statements(__file__)


@asynccontextmanager
async def scratch_database(database_url: str) -> AsyncIterator[str]:
    """Create an empty database like the given one, yield its URL, and drop it in the end.

    Raises OperatorError when the role may not create databases.
    """
    name = f"{PREFIX}{secrets.token_hex(6)}"
    try:
        await _create(database_url, name)
        url = sa.make_url(database_url).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        async with connected(database_url) as connection:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@asynccontextmanager
async def connected(database_url: str, *, read_only: bool = False) -> AsyncIterator[Connection]:
    """Yield a connection; a read-only one can write nothing, and waits for no lock for long."""
    settings = {"application_name": "clerkwork-rehearse"}
    if read_only:
        settings |= {"default_transaction_read_only": "on", "lock_timeout": LOCK_TIMEOUT}
    connection = await asyncpg.connect(database_url, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


async def list_leftovers(connection: Connection) -> list[str]:
    """Return the scratch databases that somebody who was killed has left, and nobody uses."""
    return [row["name"] for row in await connection.fetch(_SQL["list_leftovers"], PREFIX)]


async def _create(database_url: str, name: str) -> None:
    async with connected(database_url) as connection:
        statement = await connection.fetchval(_SQL["how_to_create"], name)
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError as error:
            role = await connection.fetchval("SELECT quote_ident(current_user)")
            raise OperatorError(
                f"A rehearsal needs a scratch database, and {role} may not create one. "
                f"Allow it with `ALTER ROLE {role} CREATEDB`, or put into DATABASE_URL "
                "a role that may."
            ) from error
