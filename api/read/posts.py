"""Posts that are there, with their authors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from api.database import fetch, named_statements
from api.page import Found, Owned

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from api.database import Pool
    from api.page import Page

_SQL: Final = named_statements(__file__)


class Author(NamedTuple):
    """Who wrote a post; before their webhook has come only by id."""

    id: UUID
    clerk_id: str
    first_name: str | None
    last_name: str | None
    username: str | None
    image_url: str | None


class Post(NamedTuple):
    """A post that is neither deleted nor its author's."""

    id: UUID
    title: str
    body: str
    status: str
    created_at: datetime
    updated_at: datetime
    version: int
    author: Author


async def read_post(pool: Pool, post_id: UUID) -> Post | None:
    """Return a post, published or not; None when there is none."""
    for row in await fetch(pool, _SQL["read_post"], post_id):
        return _post(row)
    return None


async def list_posts(pool: Pool, page: Page[UUID], *, drafts: bool) -> Found[Post]:
    """Return the posts of `page`, newest first, with or without `drafts`."""
    statement = _SQL["list_posts" if drafts else "list_published_posts"]
    rows = await fetch(pool, statement, *page.place, page.limit + 1)
    return Found.cut([_post(row) for row in rows], page.limit)


async def list_posts_of(
    pool: Pool, user_id: UUID, page: Page[UUID], *, drafts: bool
) -> Owned[Post]:
    """Return the user's posts of `page`, newest first."""
    statement = _SQL["list_posts_of" if drafts else "list_published_posts_of"]
    rows = await fetch(pool, statement, user_id, *page.place, page.limit + 1)
    posts = [_post(row) for row in rows if row["id"] is not None]
    return Owned(rows[0]["author_status"] if rows else None, Found.cut(posts, page.limit))


def _post(row: asyncpg.Record) -> Post:
    author = Author(
        id=row["user_id"],
        clerk_id=row["author_clerk_id"],
        first_name=row["author_first_name"],
        last_name=row["author_last_name"],
        username=row["author_username"],
        image_url=row["author_image_url"],
    )
    return Post(
        id=row["id"],
        title=row["title"],
        body=row["body"],
        status=row["status"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
        author=author,
    )
