"""The request id: taken from the caller when it is harmless, else made; sent back always."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from aiohttp import web
from structlog.contextvars import bind_contextvars

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

HEADER: Final = "X-Request-ID"
REQUEST_ID: Final = web.RequestKey("request_id", str)
"""Where handlers find the id of the request they serve."""

# What a log line, a header and a URL can carry unescaped; long enough for a UUID or a trace id.
_HARMLESS: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def choose_id(offered: str | None) -> str:
    """Return `offered` when it is harmless, else a new id."""
    return offered if offered and _HARMLESS.fullmatch(offered) else secrets.token_hex(16)


@web.middleware
async def identify_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, in the logs; the stack puts it on the answer."""
    request_id = choose_id(request.headers.get(HEADER))
    request[REQUEST_ID] = request_id
    bind_contextvars(request_id=request_id)  # aiohttp gives each request a context of its own
    return await handler(request)
