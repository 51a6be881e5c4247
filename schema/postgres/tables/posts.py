"""Posts: what users write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from schema.postgres.tables.columns import METADATA, one_of, reference, time

if TYPE_CHECKING:
    from collections.abc import Iterator

POST_STATUSES: Final = ("draft", "published")


def _registers() -> Iterator[sa.Column[object]]:
    """Yield the columns that say of each field which command it is from."""
    for field in ("title", "body", "status"):
        yield sa.Column(
            f"{field}_version",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment=f"time in ms of the change that {field} is from; 0 where from the creation",
        )
        yield sa.Column(
            f"{field}_event_id",
            sa.Text,
            nullable=False,
            server_default="",
            comment="its command's id; decides between equal times",
        )


POSTS: Final = sa.Table(
    "posts",
    METADATA,
    sa.Column(
        "id",
        UUID,
        primary_key=True,
        comment="UUIDv8 of its author's clerk id and of the command that created it, so that it"
        " tells whose it is",
    ),
    reference("user_id", "users", "its author"),
    sa.Column(
        "title",
        sa.Text,
        nullable=False,
        server_default="",
        comment="empty on stubs and tombstones",
    ),
    sa.Column(
        "body", sa.Text, nullable=False, server_default="", comment="empty on tombstones too"
    ),
    sa.Column(
        "status",
        sa.Text,
        nullable=False,
        server_default="draft",
        comment="draft (its author's alone) | published",
    ),
    time("created_at", "when it was written; null on stubs (changed, not yet seen) and tombstones"),
    time("updated_at", "time of the latest command in it; null on stubs and tombstones"),
    time("deleted_at", "when its author deleted it first; nothing is written on it afterwards"),
    sa.Column(
        "version",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="time in ms of the latest command in it",
    ),
    *_registers(),
    one_of("status", POST_STATUSES),
    comment="One row for each post of a user who is not erased, living or deleted.",
)
_LIVING: Final = POSTS.c.deleted_at.is_(None) & POSTS.c.created_at.is_not(None)
_PUBLISHED: Final = (
    POSTS.c.deleted_at.is_(None)
    & POSTS.c.created_at.is_not(None)
    & (POSTS.c.status == sa.literal_column("'published'"))
)
sa.Index(
    "posts_created_at_id_idx",
    POSTS.c.created_at.desc(),
    POSTS.c.id.desc(),
    postgresql_where=_LIVING,
)
sa.Index(
    "posts_published_created_at_id_idx",
    POSTS.c.created_at.desc(),
    POSTS.c.id.desc(),
    postgresql_where=_PUBLISHED,
)
sa.Index(
    "posts_user_id_created_at_id_idx",
    POSTS.c.user_id,
    POSTS.c.created_at.desc(),
    POSTS.c.id.desc(),
)
sa.Index(
    "posts_published_user_id_created_at_id_idx",
    POSTS.c.user_id,
    POSTS.c.created_at.desc(),
    POSTS.c.id.desc(),
    postgresql_where=_PUBLISHED,
)
