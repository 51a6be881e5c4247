"""Posts and their authors."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from api.answers.pages import Page
from api.answers.users import PROFILE
from schema.postgres.rows import PostsStatus


class AuthorAnswer(BaseModel):
    """Who wrote a post; names are null until their webhook has come."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    clerk_id: str
    first_name: str | None
    last_name: str | None
    username: str | None
    image_url: str | None


class PostAnswer(BaseModel):
    """A post: the same to everybody who may see it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    title: str
    body: str
    status: PostsStatus
    created_at: datetime
    updated_at: datetime
    version: int
    author: AuthorAnswer


class PostPage(Page[PostAnswer]):
    """A page of posts."""


POST: Final[dict[str, Any]] = {
    "id": "5e8b7c1d-4f2a-8b3c-9d4e-6a7b8c9d0e1f",
    "title": "Notes on the Analytical Engine",
    "body": "The engine weaves algebraical patterns.",
    "status": "published",
    "created_at": "2026-02-02T16:20:00.000Z",
    "updated_at": "2026-02-02T16:25:30.250Z",
    "version": 1_770_049_530_250,
    "author": {name: PROFILE[name] for name in AuthorAnswer.model_fields},
}
