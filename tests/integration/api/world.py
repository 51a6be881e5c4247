"""Rows as workers leave them: users in every state, and all that can belong to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from schema.postgres.ids import derive_id, derive_post_id

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DELETION: Final[dict[str, Any]] = {
    "status": "deleted",
    "deleted_at": START + timedelta(days=31),
    "deletion_event_id": "msg_deletion",
}
ERASED: Final[dict[str, Any]] = DELETION | {"email": None, "first_name": None, "created_at": None}
HELD: Final[dict[str, Any]] = DELETION | {
    "held_status": "active",
    "erase_at": START + timedelta(days=3000),
}
STUB: Final[dict[str, Any]] = {
    "status": "pending",
    "email": None,
    "first_name": None,
    "created_at": None,
}


@dataclass(frozen=True)
class World:
    """Writes rows."""

    connection: asyncpg.Connection[asyncpg.Record]

    async def user(self, clerk_id: str, **columns: object) -> UUID:
        """Insert a user: active, created at START, unless `columns` say otherwise."""
        row = {
            "id": derive_id(clerk_id),
            "clerk_id": clerk_id,
            "status": "active",
            "email": f"{clerk_id}@example.com",
            "first_name": "Ada",
            "created_at": START,
        }
        await self._insert("users", row | columns)
        return derive_id(clerk_id)

    async def post(self, author: str, name: str, **columns: object) -> UUID:
        """Insert a published post."""
        row = {
            "id": derive_post_id(author, name),
            "user_id": derive_id(author),
            "title": name,
            "body": "Text.",
            "status": "published",
            "created_at": START,
            "updated_at": START,
            "version": 1,
        }
        await self._insert("posts", row | columns)
        return derive_post_id(author, name)

    async def data(self, clerk_id: str, key: str, value: str | None) -> None:
        """Insert what is known of a user; `value` is JSON."""
        row = {"user_id": derive_id(clerk_id), "key": key, "value": value}
        await self._insert("user_data", row)

    async def session(self, clerk_id: str, name: str, **columns: object) -> None:
        """Insert a session."""
        row = {
            "id": derive_id(name),
            "clerk_id": name,
            "user_id": derive_id(clerk_id),
            "status": "active",
            "device": "Firefox on macOS",
            "ip_address": "192.0.2.1",
            "created_at": START,
            "updated_at": START,
        }
        await self._insert("sessions", row | columns)

    async def organization(self, clerk_id: str, **columns: object) -> None:
        """Insert an organization."""
        row = {
            "id": derive_id(clerk_id),
            "clerk_id": clerk_id,
            "name": "Engine Works",
            "status": "active",
            "created_at": START,
        }
        await self._insert("organizations", row | columns)

    async def membership(self, clerk_id: str, organization: str, **columns: object) -> None:
        """Insert a membership."""
        name = f"orgmem_{clerk_id}_{organization}_{len(columns)}"
        row = {
            "id": derive_id(name),
            "clerk_id": name,
            "organization_id": derive_id(organization),
            "user_id": derive_id(clerk_id),
            "role": "org:member",
            "permissions": '["org:sys_memberships:read"]',
            "created_at": START,
            "updated_at": START,
        }
        await self._insert("organization_memberships", row | columns)

    async def event(self, event_id: str, about: str | None, **columns: object) -> None:
        """Insert a row of the ledger."""
        row = {
            "event_id": event_id,
            "occurred_at": START,
            "type": "user.updated",
            "clerk_user_id": about,
            "received_at": START,
            "applied_at": START,
            "outcome": "applied",
            "topic": "clerk.user-events",
            "partition": 0,
            '"offset"': 0,
        }
        await self._insert("events", row | columns)

    async def _insert(self, table: str, row: dict[str, object]) -> None:
        names = ", ".join(row)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({places})",  # noqa: S608 - names are the tests'
            *row.values(),
        )
