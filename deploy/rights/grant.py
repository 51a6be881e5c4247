"""Bring the roles of a database, and what they may do, to the declared state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg

from deploy.rights.tables import REVISIONS, ROLES, TEMPORARY, declared_rights, role_of
from schema.postgres.statements import read_statements
from schema.postgres.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = asyncpg.Connection[asyncpg.Record]

_ROUNDS: Final = 2
"""To take a privilege on a table takes it from all its columns too: those are granted anew."""

_SQL: Final = read_statements(__file__)


async def grant_rights(connection: Connection) -> list[str]:
    """Make what is missing, take what is too much, and return what this role may not do.

    Those are statements for somebody who may. Where everything is as declared, nothing is
    written. `connection` must keep others out who do the same. Raises what the driver raises.
    """
    refused = await _create_roles(connection)
    async with connection.transaction():
        for _ in range(_ROUNDS):
            for statement in await list_changes(connection):
                await _try(connection, statement)
    return [*refused, *await list_changes(connection)]


async def list_changes(connection: Connection) -> Sequence[str]:
    """Return the statements that would make the rights those that are declared.

    Rights of roles that are not there, or on tables that are not, are left out.
    """
    rights = list(declared_rights())
    rows = await connection.fetch(
        _SQL["list_changes"],
        ROLES,
        [*METADATA.tables, REVISIONS],
        [each.role for each in rights],
        [each.table for each in rights],
        [each.privilege for each in rights],
        [each.column for each in rights],
        list(map(role_of, TEMPORARY)),
    )
    return [row["statement"] for row in rows]


async def list_missing_roles(connection: Connection) -> Sequence[str]:
    """Return the statements that would make the roles which are not there."""
    missing = await connection.fetch(_SQL["list_missing_roles"], ROLES)
    return [await connection.fetchval(_SQL["spell_role"], row["name"]) for row in missing]


async def _create_roles(connection: Connection) -> list[str]:
    missing = await list_missing_roles(connection)
    return [each for each in missing if not await _try(connection, each)]


async def _try(connection: Connection, statement: str) -> bool:
    """Run a statement, and tell whether this role may."""
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass  # roles are the server's: a migration of another database has just made it
    return True
