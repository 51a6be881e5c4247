"""What is usually written to serve users: `python -m tests.bench.rivals.api`, on PORT.

aiohttp, PyJWT and SELECT *; whoever has a token may read, revoked or not, and nothing is bounded.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import asyncpg
import jwt
import uvloop
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def build_app(database_url: str, key: str) -> web.Application:
    """Return the application."""
    pools: list[asyncpg.Pool[asyncpg.Record]] = []

    async def connect(_app: web.Application) -> AsyncIterator[None]:
        async with asyncpg.create_pool(database_url) as pool:
            pools.append(pool)
            yield

    async def show_user(request: web.Request) -> web.Response:
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            jwt.decode(token, key, algorithms=["RS256"])
        except jwt.InvalidTokenError:
            raise web.HTTPUnauthorized from None
        row = await pools[0].fetchrow(
            "SELECT * FROM users WHERE clerk_id = $1", request.match_info["id"]
        )
        if row is None:
            raise web.HTTPNotFound
        return web.json_response(dict(row), dumps=lambda found: json.dumps(found, default=str))

    app = web.Application()
    app.cleanup_ctx.append(connect)
    app.router.add_get("/v1/users/{id}", show_user)
    return app


if __name__ == "__main__":
    web.run_app(
        build_app(os.environ["DATABASE_URL"], os.environ["CLERK_JWT_KEY"]),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        print=None,
        access_log=None,
        loop=uvloop.new_event_loop(),
    )
