"""Insert rows as workers would leave them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from schema.postgres.ids import derive_id
from tests.factories import new_event_id, new_user_id

if TYPE_CHECKING:
    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When whoever is inserted here was created."""


async def insert(database: Database, table: str, **values: object) -> None:
    """Insert a row."""
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await database.execute(
        f"INSERT INTO {table} ({names}) VALUES ({places})",  # noqa: S608 - our own names
        *values.values(),
    )


async def insert_user(database: Database, **values: Any) -> str:
    """Insert a user with a name and an address, and return the clerk id."""
    clerk_id = new_user_id()
    row = {
        "id": derive_id(clerk_id),
        "clerk_id": clerk_id,
        "email": "ada@example.com",
        "first_name": "Ada",
        "status": "active",
        "created_at": BEGINNING,
        "updated_at": BEGINNING,
        "version": 1,
        "version_event_id": new_event_id(),
    }
    await insert(database, "users", **row | values)
    return clerk_id


async def insert_held_back(database: Database, *, until: datetime, **values: Any) -> str:
    """Insert a deleted user whose data is held back, and return the clerk id."""
    deletion = {
        "status": "deleted",
        "held_status": "banned",
        "deleted_at": BEGINNING,
        "deletion_event_id": new_event_id(),
        "erase_at": until,
    }
    return await insert_user(database, **deletion | values)


async def insert_session(database: Database, user: str, **values: Any) -> uuid.UUID:
    """Insert a session of a user and return its id."""
    clerk_id = f"sess_{uuid.uuid4().hex}"
    row = {
        "id": derive_id(clerk_id),
        "clerk_id": clerk_id,
        "user_id": derive_id(user),
        "status": "active",
        "created_at": BEGINNING,
        "updated_at": BEGINNING,
    }
    await insert(database, "sessions", **row | values)
    return derive_id(clerk_id)
