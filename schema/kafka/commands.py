"""Commands: what a signed-in user asks for, on app.user-commands, keyed by their clerk user id.

The value has the envelope of Clerk's events, {"type", "timestamp", "data"}, so that one reader
serves both. `ce_id` is the command's id: the same for every delivery of one command. Ingest writes
them, workers read them.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec

from schema.kafka.clerk import Id

if TYPE_CHECKING:
    from collections.abc import Mapping

CREATE_POST: Final = "clerkwork.post.create"
CHANGE_POST: Final = "clerkwork.post.change"
DELETE_POST: Final = "clerkwork.post.delete"
PUT_DATA: Final = "clerkwork.user_data.put"
DELETE_DATA: Final = "clerkwork.user_data.delete"

COMMAND_TYPES: Final = (CREATE_POST, CHANGE_POST, DELETE_POST, PUT_DATA, DELETE_DATA)

SOURCE: Final = "clerkwork/commands"
"""`ce_source` of every command."""

MAX_TITLE: Final = 200
"""Characters of a title, one at least."""
MAX_BODY: Final = 50_000
"""Characters of a post's text."""

Title: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE)]
Body: TypeAlias = Annotated[str, msgspec.Meta(max_length=MAX_BODY)]

OwnKey = Literal["preferences", "feature_flags", "onboarding_status"]
"""The keys of user_data that users set."""


class PostCreation(msgspec.Struct, frozen=True, kw_only=True):
    """Create a post. Given twice, the earlier time counts, and no change of the post is undone."""

    id: uuid.UUID
    user_id: Id
    """Clerk's id of the author."""
    title: Title
    body: Body
    status: Literal["draft", "published"]


class PostChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Change some fields of a post: of each the change with the latest time counts."""

    id: uuid.UUID
    user_id: Id
    title: Title | None = None
    """None leaves it as it is."""
    body: Body | None = None
    status: Literal["draft", "published"] | None = None


class PostDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Delete a post for good: nothing brings it back, whatever arrives later."""

    id: uuid.UUID
    user_id: Id


class DataPut(msgspec.Struct, frozen=True, kw_only=True):
    """Set a key of user_data: the command with the latest time counts, a deletion too."""

    user_id: Id
    key: OwnKey
    value: msgspec.Raw
    """In the shape of schema/postgres/user_data.py."""


class DataDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Delete a key of user_data."""

    user_id: Id
    key: OwnKey


Command = PostCreation | PostChange | PostDeletion | DataPut | DataDeletion

TYPES: Final[Mapping[type[Command], str]] = {
    PostCreation: CREATE_POST,
    PostChange: CHANGE_POST,
    PostDeletion: DELETE_POST,
    DataPut: PUT_DATA,
    DataDeletion: DELETE_DATA,
}
"""What is asked for -> the type of the command."""


def write_command(command: Command, *, issued_ms: int) -> bytes:
    """Return the value of the record; `issued_ms` is when it was accepted, in ms since 1970."""
    envelope = {"type": TYPES[type(command)], "timestamp": issued_ms, "data": command}
    return msgspec.json.encode(envelope)
