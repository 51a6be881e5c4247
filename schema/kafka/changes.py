"""What other services are told: the records of user.changes and post.changes.

The value is the state after the change, whole; null where there is nothing any more, so that
compaction forgets the person too. What happened stands in `ce_type`. A consumer ignores types
that it does not know, and fields that it does not know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

SOURCE: Final = "clerkwork/relay"
"""`ce_source` of every change."""

USER_CREATED: Final = "clerkwork.user.created"
"""The user is there and was not before, which is also so after a restoration."""
USER_UPDATED: Final = "clerkwork.user.updated"
USER_DELETED: Final = "clerkwork.user.deleted"
POST_CREATED: Final = "clerkwork.post.created"
POST_UPDATED: Final = "clerkwork.post.updated"
POST_DELETED: Final = "clerkwork.post.deleted"
CANARY: Final = "clerkwork.canary"
"""Nobody's change: it shows how long a change takes. Its value is null."""

CHANGE_TYPES: Final = (
    *(USER_CREATED, USER_UPDATED, USER_DELETED),
    *(POST_CREATED, POST_UPDATED, POST_DELETED),
    CANARY,
)

CANARY_PREFIX: Final = "user_clerkwork-canary"
"""How the ids of users begin who are not real; Clerk's have only letters and digits there."""


def name_schema(topic: str, version: int = 1) -> str:
    """Return `ce_dataschema` of the values on a change topic: their contract and its version.

    Without one, the version that is written.
    """
    return f"urn:clerkwork:{topic}:{version}"


def is_canary(clerk_id: str) -> bool:
    """Say whether a user only shows how long events take, and must be seen by nobody."""
    return clerk_id.startswith(CANARY_PREFIX)


class _State(BaseModel):
    # Open to new fields: who reads an older contract is not broken by a newer record.
    model_config = ConfigDict(frozen=True, extra="ignore")


class UserState(_State):
    """A user, as other services get to see them: version 1 of the record on `user.changes`."""

    schema_version: Literal[1] = Field(description="version of this contract")
    sequence: int = Field(
        description="position among all changes, in microseconds since 1970 or a little more;"
        " strictly increasing: of two records of a user the later is the one that counts"
    )
    version: int = Field(
        description="data.updated_at of Clerk's snapshot, in ms; never decreases while the user"
        " is there; what the API's min_version compares with"
    )
    id: UUID = Field(description="UUIDv5 of clerk_id")
    clerk_id: str = Field(description="Clerk's user id, the record's key")
    email: str | None = Field(description="primary address; several users may have had the same")
    email_verified: bool = Field(description="whether the address was proven to be the user's")
    first_name: str | None = Field(description="given name")
    last_name: str | None = Field(description="family name")
    username: str | None = Field(description="user name, where the instance uses them")
    image_url: str | None = Field(description="avatar")
    external_id: str | None = Field(description="the application's own id, set through Clerk")
    role: Literal["user", "admin"] = Field(description="from public_metadata.role")
    status: Literal["active", "banned", "locked", "deprovisioned"] = Field(
        description="the gravest of what applies"
    )
    public_metadata: dict[str, JsonValue] = Field(description="as Clerk has it")
    created_at: datetime | None = Field(description="when Clerk created the user, RFC 3339 in UTC")


class PostState(_State):
    """A post, as other services get to see it: version 1 of the record on `post.changes`."""

    schema_version: Literal[1] = Field(description="version of this contract")
    sequence: int = Field(
        description="position among all changes, in microseconds since 1970 or a little more;"
        " strictly increasing: of two records of a post the later is the one that counts"
    )
    version: int = Field(description="time of the latest command in it, in ms")
    id: UUID = Field(description="the record's key")
    user_id: UUID = Field(description="whose it is: UUIDv5 of the author's clerk id")
    clerk_user_id: str = Field(description="whose it is: Clerk's id")
    title: str = Field(description="title")
    body: str = Field(description="text")
    status: Literal["draft", "published"] = Field(description="a draft is its author's alone")
    created_at: datetime = Field(description="when it was written, RFC 3339 in UTC")
    updated_at: datetime = Field(description="when it was changed, RFC 3339 in UTC")
