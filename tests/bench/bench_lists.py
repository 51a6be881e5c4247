"""Whether lists stay flat as tables grow: `.venv/bin/python -m tests.bench.bench_lists`.

One API process over a real PostgreSQL, without limits and without a cache. One user has a tenth of
the posts and of the sessions and events; pages of 100 are read one after the other, and of each
list the first page again and again. Ratios are to the smallest tables of the same run.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
import asyncpg
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.migrate import migrate
from deploy.stack import running_stack
from schema.postgres.ids import derive_id
from tests.bench.bench_changes import serving

SIZES = (1_000, 30_000, 1_000_000)
ROUNDS = 200
DEEP = 10
ADMIN = "user_admin"
HEAVY = "user_heavy"
LISTS = {
    "/v1/users": HEAVY,
    "/v1/posts": HEAVY,
    "/v1/posts (all)": ADMIN,
    f"/v1/users/{HEAVY}/posts": ADMIN,
    f"/v1/users/{HEAVY}/posts (published)": "user_other",
    f"/v1/users/{HEAVY}/sessions": HEAVY,
    f"/v1/users/{HEAVY}/history": HEAVY,
}
USERS = """
    INSERT INTO users (id, clerk_id, first_name, status, role, created_at, updated_at, version)
    SELECT gen_random_uuid(), 'user_' || n, 'Ada', 'active', 'user',
        now() - n * interval '1 second', now(), 1
    FROM generate_series($1::integer, $2::integer) AS n
"""
NAMED = """
    INSERT INTO users (id, clerk_id, first_name, status, role, created_at, updated_at, version)
    VALUES ($1, $2, 'Ada', 'active', $3, now(), now(), 1)
"""
POSTS = """
    INSERT INTO posts (id, user_id, title, body, status, created_at, updated_at, version)
    SELECT gen_random_uuid(), CASE WHEN n % 10 = 0 THEN $3 ELSE users.id END, 'A title',
        repeat('words ', 50), CASE WHEN n % 2 = 0 THEN 'published' ELSE 'draft' END,
        now() - n * interval '1 second', now(), 1
    FROM generate_series($1::integer, $2::integer) AS n
    JOIN users ON users.clerk_id = 'user_' || n
"""
SESSIONS = """
    INSERT INTO sessions (id, clerk_id, user_id, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'sess_' || n, $3, 'ended', now() - n * interval '1 second', now()
    FROM generate_series($1::integer, $2::integer, 10) AS n
"""
EVENTS = """
    INSERT INTO events (
        event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, topic,
        partition, "offset"
    )
    SELECT 'msg_' || n, now() - n * interval '1 second', 'user.updated',
        CASE WHEN n % 10 = 0 THEN 'user_heavy' ELSE 'user_' || n END, now(), now(), 'applied',
        'clerk.user-events', 0, n
    FROM generate_series($1::integer, $2::integer) AS n
"""


async def grow(database: asyncpg.Connection[asyncpg.Record], start: int, end: int) -> None:
    """Add the rows from `start` to `end` to every table."""
    heavy = derive_id(HEAVY)
    if start == 1:
        for clerk_id, role in ((ADMIN, "admin"), (HEAVY, "user"), ("user_other", "user")):
            await database.execute(NAMED, derive_id(clerk_id), clerk_id, role)
    await database.execute(USERS, start, end)
    await database.execute(POSTS, start, end, heavy)
    await database.execute(SESSIONS, start, end, heavy)
    await database.execute(EVENTS, start, end)
    await database.execute("VACUUM ANALYZE")


async def measure(session: aiohttp.ClientSession, path: str, token: str) -> tuple[float, float]:
    """Return the p50 in ms of the first page, and of the last of DEEP pages."""
    path = path.partition(" ")[0]
    cursor: str | None = None
    times: dict[bool, list[float]] = {False: [], True: []}
    for page in range(DEEP):
        cursor = await ask(session, path, token, cursor)
        if cursor is None or page == DEEP - 2:
            break
    for deep in (False, True):
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await ask(session, path, token, cursor if deep else None)
            times[deep].append((time.perf_counter() - started) * 1000)
    return statistics.median(times[False]), statistics.median(times[True])


async def ask(
    session: aiohttp.ClientSession, path: str, token: str, cursor: str | None
) -> str | None:
    """Read a page and return the next cursor."""
    query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
    headers = {"Authorization": f"Bearer {token}"}
    async with session.get(path, params=query, headers=headers) as response:
        response.raise_for_status()
        found: str | None = (await response.json())["next_cursor"]
        return found


async def main() -> None:
    """Print the medians of every list at every size."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())

    def sign(user: str) -> str:
        claims = {"exp": now + 7200, "iat": now, "sub": user, "sid": f"sess_{user}"}
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "ins_1"})

    os.environ |= {"RATE_LIMITS": "off", "API_CACHE": "off"}
    with tempfile.TemporaryDirectory() as data, running_stack(data=Path(data)) as stack:
        await migrate(stack.database_url)
        first: dict[str, tuple[float, float]] = {}
        for start, size in zip((1, *(size + 1 for size in SIZES)), SIZES, strict=False):
            database = await asyncpg.connect(stack.database_url)
            await grow(database, start, size)
            await database.close()
            async with (
                serving(stack.database_url, key) as (url, _pid),
                aiohttp.ClientSession(url) as session,
            ):
                for path, reader in LISTS.items():
                    found = await measure(session, path, sign(reader))
                    show(path, size, found, first.setdefault(path, found))


def show(path: str, size: int, found: tuple[float, float], small: tuple[float, float]) -> None:
    """Print the medians, and their ratios to those of the smallest tables."""
    print(
        f"{size:>9,} rows  {path:<40} first page {found[0]:6.2f} ms ({found[0] / small[0]:.2f}),"
        f" page {DEEP} {found[1]:6.2f} ms ({found[1] / small[1]:.2f})",
        flush=True,
    )


if __name__ == "__main__":
    asyncio.run(main())
