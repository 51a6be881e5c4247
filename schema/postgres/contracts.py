"""What other parties may rely on of each table, field by field; the rest is internal, and says why.

A field has the name of its column, holds all that the column may hold, and is None exactly where
the column may be. `clerkwork contracts check` holds them to it, and wants every column decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from schema.postgres.rows import UsersRole, UsersStatus

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublicProfile(_Contract):
    """What every signed-in user sees of another."""

    id: UUID
    clerk_id: str
    first_name: str | None
    last_name: str | None
    username: str | None
    image_url: str | None
    created_at: datetime | None


class User(PublicProfile):
    """What users see of themselves, and administrators of everyone."""

    email: str | None
    email_verified: bool
    external_id: str | None
    role: UsersRole
    status: UsersStatus
    public_metadata: dict[str, JsonValue]
    last_sign_in_at: datetime | None
    last_active_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    version: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of the columns of a table: each is in a contract or internal."""

    contracts: tuple[type[BaseModel], ...] = ()
    internal: Mapping[str, str]
    """Column -> why nobody else may rely on it."""


DECISIONS: Final[Mapping[str, Decision]] = {
    "events": Decision(
        internal=dict.fromkeys(
            (
                "event_id",
                "occurred_at",
                "type",
                "clerk_user_id",
                "received_at",
                "applied_at",
                "outcome",
                "reason",
                "topic",
                "partition",
                "offset",
            ),
            "the ledger answers operators, who read it in SQL; no service serves it",
        ),
    ),
    "users": Decision(
        contracts=(PublicProfile, User),
        internal={
            "version_timestamp": "only decides which of two equal versions wins",
            "version_event_id": "only decides which of two equal versions and times wins",
        },
    ),
}
"""Table -> the decision."""
