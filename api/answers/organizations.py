"""Organizations, as their members see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from schema.postgres.contracts import Organization


class MembershipAnswer(BaseModel):
    """As what the caller belongs to an organization."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    permissions: list[str]
    created_at: datetime


class OrganizationAnswer(Organization):
    """An organization; `membership` is null for who sees all and is no member."""

    membership: MembershipAnswer | None


ORGANIZATION: Final[dict[str, Any]] = {
    "id": "b1c1a3d2-5e0f-5c7d-8a9b-1c2d3e4f5a6b",
    "clerk_id": "org_2pKdRt6vYxFh8SmWcNzQbJgLeTu",
    "name": "Engine Works",
    "slug": "engine-works",
    "image_url": "https://img.clerk.com/engine-works",
    "public_metadata": {},
    "status": "active",
    "created_at": "2026-01-15T09:00:00.000Z",
    "updated_at": "2026-01-20T11:30:00.000Z",
    "deleted_at": None,
    "version": 1_768_908_600_000,
    "membership": {
        "role": "org:admin",
        "permissions": ["org:sys_memberships:read", "org:sys_memberships:manage"],
        "created_at": "2026-01-15T09:00:00.000Z",
    },
}
