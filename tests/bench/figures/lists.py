"""Whether single reads and pages of lists take as long in large tables as in small ones."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from api.database import Database, Limits
from api.page import Cursor, Page
from api.read import PLANNER
from api.read.data import read_data
from api.read.events import list_events_of, read_event
from api.read.posts import list_posts, list_posts_of, read_post
from api.read.sessions import list_sessions
from api.read.users import list_users, read_user
from schema.ops.metrics import ApiMetrics, new_registry
from schema.ops.settings import DatabaseSettings
from schema.postgres.ids import derive_id
from schema.postgres.pools import build_pool
from tests.bench.figure import Experiment, Figure, Promise

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.bench.bench import Bench

FEW: Final = "few"
MANY: Final = "many"
SIZES: Final[Mapping[str, tuple[int, int]]] = {FEW: (1_000, 1_000), MANY: (1_000_000, 2_000)}
"""Contestant -> rows of each kind, and how many where all is gone through quickly."""
SINGLE: Final = ("user", "post", "data", "event")
LISTS: Final = (
    *("users", "posts", "posts_and_drafts", "posts_of_a_user", "own_posts", "sessions", "history"),
)
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


async def fill(url: str, *, size: int) -> None:
    """Make every table so large."""
    connection = await asyncpg.connect(url)
    for statement in FILL:
        await connection.execute(statement, size, USER, timeout=900)
    await connection.execute("VACUUM ANALYZE", timeout=900)
    await connection.close()


async def time_calls(call: Callable[[], Awaitable[object]], *, calls: int) -> float:
    """Return the median of so many calls, in milliseconds."""
    taken = []
    for _ in range(calls):
        started = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Fill one database after the other, and read as the API does, over a pool of its own."""
    found: dict[str, Mapping[str, float]] = {}
    for who, (full, quick) in SIZES.items():
        size = bench.choose(full, quick)
        template = await bench.template(f"bench_rows_{size}", partial(fill, size=size))
        async with bench.database(template) as url:
            settings = DatabaseSettings(database_url=SecretStr(url))
            async with build_pool(
                settings, name="bench", min_size=1, max_size=1, session=PLANNER
            ) as pool:
                database = Database(pool, limits=Limits(), metrics=ApiMetrics(new_registry()))
                calls = await make_calls(database, size)
                times = bench.choose(200, 10)
                found[who] = {
                    name: await time_calls(call, calls=times) for name, call in calls.items()
                }
    return found


async def make_calls(pool: Database, size: int) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """Return the name of a figure -> what is read for it."""
    rows = await pool.pool.fetch(
        "SELECT id, created_at FROM posts WHERE title = 'Title' ORDER BY created_at"
        " LIMIT 1 OFFSET $1",
        size // 2,
    )
    at, post_id = rows[0]["created_at"], rows[0]["id"]
    pages = {"": Page[UUID](), "_middle": Page(after=Cursor(at=at, id=UUID(int=0)))}
    texts = {"": Page[str](), "_middle": Page(after=Cursor(at=at, id=""))}
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "user": partial(read_user, pool, USER),
        "post": partial(read_post, pool, post_id),
        "data": partial(read_data, pool, USER),
        "event": partial(read_event, pool, "msg_7"),
    }
    for name, page in pages.items():
        calls |= {
            f"users{name}": partial(list_users, pool, page),
            f"posts{name}": partial(list_posts, pool, page, drafts=False),
            f"posts_and_drafts{name}": partial(list_posts, pool, page, drafts=True),
            f"posts_of_a_user{name}": partial(list_posts_of, pool, USER, page, drafts=False),
            f"own_posts{name}": partial(list_posts_of, pool, USER, page, drafts=True),
            f"sessions{name}": partial(list_sessions, pool, USER, page),
            f"history{name}": partial(list_events_of, pool, USER, texts[name]),
        }
    return calls


def _figure(name: str, says: str) -> Figure:
    # A page may take longer where the index is deeper, not so much as to have been sorted.
    promise = Promise(bound=0.33, of=FEW, who=MANY)
    return Figure(name=name, says=says, unit="ms", better="less", promises=(promise,))


EXPERIMENT: Final = Experiment(
    name="lists",
    says="Single reads, and pages of 20 rows: the first ones, and some from the middle. A tenth of"
    " the rows belong to the user who is asked for.",
    contestants={FEW: "1,000 rows of each kind", MANY: "1,000,000"},
    figures=(
        *(_figure(name, f"a single read: {name}") for name in SINGLE),
        *(
            _figure(f"{name}{part}", f"a page of {name.replace('_', ' ')}, {where}")
            for name in LISTS
            for part, where in (("", "the first"), ("_middle", "from the middle"))
        ),
    ),
    measure=measure,
    long=True,
)
