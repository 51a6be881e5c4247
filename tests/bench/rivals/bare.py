"""The limit of a server: `python -m tests.bench.rivals.bare BODY`, on PORT.

aiohttp with uvloop; it reads what it is sent and answers 202, or with the bytes of a file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvloop
from aiohttp import web


def main() -> None:
    """Serve until stopped."""
    body = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else b""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202)

    async def give(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/webhooks/clerk", take)
    app.router.add_get("/{path:.*}", give)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        print=None,
        access_log=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
