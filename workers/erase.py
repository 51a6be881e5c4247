"""Erase what a deletion leaves behind: personal data of users, members of organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Iterable

    import asyncpg

    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

_SQL: Final = read_statements(__file__)


async def find_erased(connection: Connection, users: Iterable[str | None]) -> dict[uuid.UUID, str]:
    """Return who of these is a tombstone, by Clerk's ids: their own ids, and Clerk's."""
    asked = [user for user in users if user]
    rows = await connection.fetch(_SQL["find_erased"], asked) if asked else []
    return {row["id"]: row["clerk_id"] for row in rows}


async def wait_for_erasures(connection: Connection) -> None:
    """Wait until all that is being erased is, and have nobody erased until this transaction ends.

    For those who are named and have no row that could be locked: somebody else may insert and
    erase it meanwhile, and would leave the name. To be called after locking rows, before looking
    for tombstones, and not by who has called `erase_users`.
    """
    await connection.execute(_SQL["wait_for_erasures"])


async def erase_users(connection: Connection, ids: Collection[uuid.UUID]) -> None:
    """Make tombstones of those users who are deleted and not held back.

    To be called in a transaction that has locked their rows in the order of their ids.
    """
    await connection.execute(_SQL["wait_for_names"])
    await connection.execute(_SQL["erase_users"], list(ids))


async def empty_organizations(connection: Connection, ids: Collection[uuid.UUID]) -> None:
    """Remove the members of those organizations that are deleted; their rows must be locked."""
    await connection.execute(_SQL["empty_organizations"], list(ids))
