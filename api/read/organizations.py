"""Organizations, and what a user is to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from api.database import fetch, named_statements

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from api.database import Pool

_SQL: Final = named_statements(__file__)


class OwnMembership(NamedTuple):
    """As what the caller belongs to an organization."""

    role: str
    permissions: str
    """A list of names, as JSON."""
    created_at: datetime


class Organization(NamedTuple):
    """An organization, as it is told to its members."""

    id: UUID
    clerk_id: str
    name: str | None
    slug: str | None
    image_url: str | None
    public_metadata: str
    status: str
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    version: int


async def read_organization(
    pool: Pool, organization_id: UUID, *, member: UUID
) -> tuple[Organization | None, OwnMembership | None]:
    """Return an organization, and the membership of `member` in it, each None where none is."""
    for row in await fetch(pool, _SQL["read_organization"], organization_id, member):
        return Organization(*(row[name] for name in Organization._fields)), _membership(row)
    return None, None


def _membership(row: asyncpg.Record) -> OwnMembership | None:
    if row["member_role"] is None:
        return None
    return OwnMembership(row["member_role"], row["member_permissions"], row["member_created_at"])
