"""Tags: what an answer tells of, and which of them a change touches. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from uuid import UUID

USERS: Final = "users"
"""Answers that tell of whichever users there are: lists."""
POSTS: Final = "posts"


def tag_user(user_id: UUID) -> str:
    """Return the tag of what tells of this user."""
    return f"user:{user_id}"


def tag_post(post_id: UUID) -> str:
    """Return the tag of what tells of this post."""
    return f"post:{post_id}"


def tags_of(topic: str, *, key: str, owner: str) -> tuple[str, ...]:
    """Return what a change touches; `owner` is the clerk id of whose it is."""
    if topic == "post.changes":
        return (f"post:{key}", POSTS)
    return (tag_user(derive_id(owner)), USERS)
