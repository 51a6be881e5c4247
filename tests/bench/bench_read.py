"""Whether lists stay flat as tables grow: `.venv/bin/python -m tests.bench.bench_read`.

The API's own functions over its own pool and a real PostgreSQL: a page of 20, the first one and one
from the middle, with so many rows of each kind. A tenth of them belong to the user who is asked
for.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import structlog
from pydantic import SecretStr

from api.database import Database, Limits
from api.page import Cursor, Page
from api.read import PLANNER
from api.read.data import read_data
from api.read.events import list_events_of, read_event
from api.read.posts import list_posts, list_posts_of, read_post
from api.read.sessions import list_sessions
from api.read.users import list_users, read_user
from deploy.migrate import migrate
from deploy.stack import running_stack
from schema.ops.metrics import ApiMetrics, new_registry
from schema.ops.settings import DatabaseSettings
from schema.postgres.ids import derive_id
from schema.postgres.pools import build_pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


SIZES: Final = (1_000, 1_000_000)
CALLS: Final = 200
USER: Final = derive_id("user_0")
FILL: Final = (
    """
    INSERT INTO users (id, clerk_id, status, created_at, first_name)
    SELECT CASE WHEN n = 0 THEN $2::uuid ELSE md5('user_' || n)::uuid END, 'user_' || n, 'active',
        '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 s', 'Ada'
    FROM generate_series(0, $1::integer / 10) AS n
    """,
    """
    INSERT INTO posts (id, user_id, title, body, status, created_at, updated_at, deleted_at)
    SELECT md5('post_' || n)::uuid,
        CASE WHEN n % 10 = 0 THEN $2 ELSE md5('user_' || 1 + n % ($1::integer / 10))::uuid END,
        'Title', repeat('Text. ', 50), CASE WHEN n % 7 = 0 THEN 'draft' ELSE 'published' END,
        '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 s', now(),
        CASE WHEN n % 11 = 0 THEN now() END
    FROM generate_series(1, $1::integer) AS n
    """,
    """
    INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at)
    SELECT md5('sess_' || n)::uuid, 'sess_' || n,
        CASE WHEN n % 10 = 0 THEN $2 ELSE md5('user_' || 1 + n % ($1::integer / 10))::uuid END,
        'ended', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 s', now()
    FROM generate_series(1, $1::integer) AS n
    """,
    """
    INSERT INTO events (event_id, occurred_at, type, clerk_user_id, received_at, applied_at,
        outcome, topic, partition, "offset")
    SELECT 'msg_' || n, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 s', 'user.updated',
        CASE WHEN n % 10 = 0 THEN 'user_0' ELSE 'user_' || 1 + n % ($1::integer / 10) END,
        now(), now(), 'applied', 'clerk.user-events', 0, n
    FROM generate_series(1, $1::integer) AS n
    WHERE $2::uuid IS NOT NULL
    """,
    """
    INSERT INTO user_data (user_id, key, value)
    SELECT id, key, '1' FROM users, unnest('{session_count, preferences}'::text[]) AS key
    WHERE $1::integer > 0 AND $2::uuid IS NOT NULL
    """,
)


async def fill(url: str, size: int) -> None:
    """Make every table so large."""
    connection = await asyncpg.connect(url)
    await connection.execute("TRUNCATE users, events CASCADE")
    for statement in FILL:
        await connection.execute(statement, size, USER, timeout=900)
    await connection.execute("VACUUM ANALYZE", timeout=900)
    await connection.close()


async def time_calls(call: Callable[[], Awaitable[object]]) -> float:
    """Return the median of so many calls, in milliseconds."""
    taken = []
    for _ in range(CALLS):
        started = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


async def measure(pool: Database, size: int) -> Mapping[str, float]:
    """Return what is read -> how long that takes."""
    rows = await pool.pool.fetch(
        "SELECT id, created_at FROM posts WHERE title = 'Title' ORDER BY created_at"
        " LIMIT 1 OFFSET $1",
        size // 2,
    )
    at, post_id = rows[0]["created_at"], rows[0]["id"]
    pages = {"first": Page[UUID](), "middle": Page(after=Cursor(at=at, id=UUID(int=0)))}
    texts = {"first": Page[str](), "middle": Page(after=Cursor(at=at, id=""))}
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "user": partial(read_user, pool, USER),
        "post": partial(read_post, pool, post_id),
        "data": partial(read_data, pool, USER),
        "event": partial(read_event, pool, "msg_7"),
    }
    for name, page in pages.items():
        calls |= {
            f"users, {name}": partial(list_users, pool, page),
            f"posts, {name}": partial(list_posts, pool, page, drafts=False),
            f"posts and drafts, {name}": partial(list_posts, pool, page, drafts=True),
            f"posts of a user, {name}": partial(list_posts_of, pool, USER, page, drafts=False),
            f"own posts, {name}": partial(list_posts_of, pool, USER, page, drafts=True),
            f"sessions, {name}": partial(list_sessions, pool, USER, page),
            f"history, {name}": partial(list_events_of, pool, USER, texts[name]),
        }
    return {name: await time_calls(call) for name, call in calls.items()}


async def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    found: list[Mapping[str, float]] = []
    with tempfile.TemporaryDirectory() as data, running_stack(data=Path(data)) as stack:
        await migrate(stack.database_url)
        settings = DatabaseSettings(database_url=SecretStr(stack.database_url))
        for size in SIZES:
            await fill(stack.database_url, size)
            async with build_pool(
                settings, name="bench", min_size=1, max_size=1, session=PLANNER
            ) as pool:
                metrics = ApiMetrics(new_registry())
                database = Database(pool, limits=Limits(), metrics=metrics)
                found.append(await measure(database, size))
    small, large = found
    print(f"{'median of a read, ms':28}" + "".join(f"{size:>12,}" for size in SIZES))
    for name, took in small.items():
        print(f"{name:28}{took:12.2f}{large[name]:12.2f}")


if __name__ == "__main__":
    asyncio.run(main())
