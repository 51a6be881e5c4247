"""Edit what users have said: posts, and the keys of user_data that are theirs to set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schema.postgres.statements import read_statements
from workers.collapse import columns
from workers.tell import Changes, Seen

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection

    import asyncpg

    from workers.project.posts import DataRow, PostRow

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_SQL: Final = read_statements(__file__)


async def edit_posts(
    connection: Connection, posts: Collection[PostRow]
) -> tuple[set[uuid.UUID], Changes]:
    """Write them, and return which were changed and of which others must be told.

    Their authors' rows must be locked; nothing is written for those who are erased.
    """
    if not posts:
        return set(), Changes()
    rows = await connection.fetch(_SQL["edit_posts"], *columns(post.columns() for post in posts))
    seen = {row["id"]: Seen(row["owner"], row["visible"], row["public"]) for row in rows}
    told = {row["id"]: seen[row["id"]] for row in rows if row["differs"]}
    return set(seen), Changes(posts=told)


async def edit_data(connection: Connection, data: Collection[DataRow]) -> set[Any]:
    """Write what users say of themselves, and return the ids of those rows that were changed.

    The users' rows must be locked; nothing is written for those who are erased.
    """
    if not data:
        return set()
    rows = await connection.fetch(_SQL["edit_data"], *columns(data))
    return {(row["user_id"], row["key"]) for row in rows}
