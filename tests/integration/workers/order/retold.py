"""What others were told of posts, folded as a consumer would, against the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.kafka.changes import POST_CREATED, POST_DELETED, POST_UPDATED, PostState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import asyncpg

    from tests.integration.workers.order.facts import Data

    Pool = asyncpg.Pool[asyncpg.Record]

ABOUT_THE_RECORD: Final = {"schema_version", "sequence"}


async def wrongly_retold(pool: Pool) -> list[str]:
    """Return a line for whatever the outbox says of posts otherwise than it must."""
    rows = await pool.fetch("SELECT * FROM outbox WHERE topic = 'post.changes' ORDER BY position")
    table = {str(row["id"]): _content(dict(row)) for row in await pool.fetch(_THERE)}
    published = {post: row for post, row in table.items() if row["status"] == "published"}
    return [
        *_differing("all", _fold(rows), table),
        *_differing("everyone", _fold([row for row in rows if row["public"]]), published),
        *_misfits(rows),
    ]


def _fold(rows: Sequence[asyncpg.Record]) -> dict[str, Data]:
    known: dict[str, Data] = {}
    for row in rows:
        known.pop(row["key"], None)
        if row["state"] is not None:
            known[row["key"]] = _told(row)
    return known


def _told(row: asyncpg.Record) -> Data:
    state = PostState.model_validate_json(row["state"])
    assert (str(state.id), state.clerk_user_id) == (row["key"], row["owner"])
    assert state.sequence == row["position"]
    return state.model_dump(exclude=ABOUT_THE_RECORD)


def _content(post: Data) -> Data:
    return {name: post[name] for name in PostState.model_fields if name not in ABOUT_THE_RECORD}


def _differing(whom: str, told: dict[str, Data], table: dict[str, Data]) -> Iterator[str]:
    for post in sorted(told.keys() | table.keys()):
        if told.get(post) != table.get(post):
            yield f"post {post}: told {whom} {told.get(post)}, there is {table.get(post)}"


def _misfits(rows: Sequence[asyncpg.Record]) -> Iterator[str]:
    """Yield where a record does not fit those before, or shows what is nobody else's business."""
    before: dict[str, asyncpg.Record] = {}
    for row in rows:
        last, state = before.get(row["key"]), None if row["state"] is None else _told(row)
        withdrawn = last is not None and last["state"] is None and last["public"]
        known = last is not None and last["state"] is not None
        fitting = {POST_DELETED} if state is None else {POST_UPDATED if known else POST_CREATED}
        if row["type"] not in fitting and not (withdrawn and row["type"] == POST_UPDATED):
            yield f"post {row['key']}: {row['type']} instead of {fitting}"
        if known and last is not None and state == _told(last):
            yield f"post {row['key']}: told twice, {state}"
        if row["public"] and state is not None and state["status"] != "published":
            yield f"post {row['key']}: a draft for everyone"
        before[row["key"]] = row
    ends = {row["key"]: row["position"] for row in rows if row["public"] and row["state"] is None}
    for row in rows:
        if row["public"] and row["state"] is not None and row["position"] < ends.get(row["key"], 0):
            yield f"post {row['key']}: still public though withdrawn"


_THERE: Final = """
    SELECT posts.*, users.clerk_id AS clerk_user_id
    FROM posts JOIN users ON users.id = posts.user_id
    WHERE posts.created_at IS NOT NULL AND posts.deleted_at IS NULL AND users.status <> 'deleted'
"""
