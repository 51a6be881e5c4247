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

from schema.postgres.rows import (
    OrganizationsStatus,
    PostsStatus,
    SessionsStatus,
    UsersRole,
    UsersStatus,
)

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


class Session(_Contract):
    """A sign-in, to the user whose it is and to administrators."""

    id: UUID
    clerk_id: str
    user_id: UUID
    status: SessionsStatus
    impersonated: bool
    device: str | None
    ip_address: str | None
    last_active_at: datetime | None
    expire_at: datetime | None
    abandon_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Organization(_Contract):
    """An organization, to its members and to administrators."""

    id: UUID
    clerk_id: str
    name: str | None
    slug: str | None
    image_url: str | None
    public_metadata: dict[str, JsonValue]
    status: OrganizationsStatus
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    version: int


class Post(_Contract):
    """What a user has written, to everyone who is signed in once it is published."""

    id: UUID
    user_id: UUID
    title: str
    body: str
    status: PostsStatus
    created_at: datetime | None
    updated_at: datetime | None
    deleted_at: datetime | None
    version: int


class Membership(_Contract):
    """Who belongs, or belonged, to which organization as what."""

    id: UUID
    clerk_id: str
    organization_id: UUID
    user_id: UUID
    role: str
    permissions: list[str]
    public_metadata: dict[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Invitation(_Contract):
    """Which invitation of an organization a user accepted."""

    id: UUID
    clerk_id: str
    organization_id: UUID
    user_id: UUID
    role: str
    created_at: datetime
    accepted_at: datetime


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of the columns of a table: each is in a contract or internal."""

    contracts: tuple[type[BaseModel], ...] = ()
    internal: Mapping[str, str]
    """Column -> why nobody else may rely on it."""


_TIES: Final[Mapping[str, str]] = {
    "version_timestamp": "only decides which of two equal versions wins",
    "version_event_id": "only decides which of two equal versions and times wins",
}

DECISIONS: Final[Mapping[str, Decision]] = {
    "applied_offsets": Decision(
        internal=dict.fromkeys(
            ("topic", "partition", "next_offset", "applied_at"),
            "how workers notice what they skipped; how far they are, others ask Kafka",
        ),
    ),
    "dead_letters": Decision(
        internal=dict.fromkeys(
            (
                *("topic", "partition", "offset", "dead_at"),
                *("source_topic", "source_partition", "source_offset"),
                *("event_id", "type", "clerk_user_id", "error_class", "error_code", "reason"),
                *("attempts", "first_failed_at", "replays", "edited", "state", "operation_id"),
            ),
            "an index that `clerkwork dlq` lists; the letters themselves are in Kafka",
        ),
    ),
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
            "operators read it in SQL; others get what /v1/events and /v1/users/{id}/history show",
        ),
    ),
    "line_stops": Decision(
        internal=dict.fromkeys(
            (
                "topic",
                "partition",
                "rejects",
                "events",
                "reason",
                "stopped_at",
                "released_at",
                "allowance",
            ),
            "what workers and `clerkwork line` tell each other",
        ),
    ),
    "operations": Decision(
        internal=dict.fromkeys(
            (
                "id",
                "action",
                "operator",
                "selection",
                "planned",
                "done",
                "started_at",
                "finished_at",
            ),
            "the audit of operators, whom it names; `clerkwork dlq audit` shows it to them",
        ),
    ),
    "organization_invitations": Decision(
        contracts=(Invitation,),
        internal={"version": "accepted_at in ms; others read that", **_TIES},
    ),
    "organization_memberships": Decision(
        contracts=(Membership,),
        internal={"version": "updated_at in ms, but an end outlasts what is newer", **_TIES},
    ),
    "organizations": Decision(contracts=(Organization,), internal=_TIES),
    "outbox": Decision(
        internal=dict.fromkeys(
            ("position", "topic", "key", "type", "owner", "public", "state"),
            "others read it on the change topics, and callers at /v1/changes",
        )
        | {"traceparent": "others read it in the header of that name on the change topics"},
    ),
    "posts": Decision(
        contracts=(Post,),
        internal=dict.fromkeys(
            (
                *("title_version", "title_event_id", "body_version", "body_event_id"),
                *("status_version", "status_event_id"),
            ),
            "only decides which of two commands wins",
        ),
    ),
    "relay_progress": Decision(
        internal=dict.fromkeys(
            ("name", "position", "published_at", "forgotten"),
            "what the relay, maintenance and the API tell each other",
        ),
    ),
    "sessions": Decision(
        contracts=(Session,),
        internal={
            "version": "updated_at in ms, but what is final outlasts what is newer",
            **_TIES,
            "activity_version": "only decides which activity is the first",
            "activity_event_id": "only decides which of two activities of a version is the first",
        },
    ),
    "sweeps": Decision(
        internal=dict.fromkeys(
            (
                *("kind", "resource", "cursor", "changed_until", "seen", "published"),
                *("started_at", "noted_at", "finished_at"),
            ),
            "what backfill and reconcile note for themselves, and tell through their commands",
        ),
    ),
    "user_data": Decision(
        internal=dict.fromkeys(
            ("user_id", "key", "value", "version", "version_event_id"),
            "others get the values, by key and in the shapes of user_data.py, not the rows",
        ),
    ),
    "user_names": Decision(
        internal=dict.fromkeys(
            ("user_id", "version", *_TIES, "first_name", "last_name"),
            "only what name_history, in user_data, is made from",
        ),
    ),
    "users": Decision(
        contracts=(PublicProfile, User),
        internal={
            **_TIES,
            "signup_source": "half an answer: signup_source in user_data also knows invitations",
            "last_event_at": "others read it as last_clerk_sync in user_data",
            "deletion_event_id": "which deletion counts; its time, deleted_at, is all others need",
            "erase_at": "data that is held back is hidden, and that it is there at all as well",
            "held_status": "part of the data that is held back",
            "restored_at": "only decides which deletions are void",
        },
    ),
}
"""Table -> the decision."""
