"""The request id: taken from the caller when it is harmless, else made; sent back always."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from aiohttp import web
from multidict import istr
from structlog.contextvars import bind_contextvars

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER: Final = istr("X-Request-ID")
REQUEST_ID: Final = web.RequestKey("request_id", str)
"""Where handlers find the id of the request they serve."""

# What a log line, a header and a URL can carry unescaped; long enough for a UUID or a trace id.
_HARMLESS: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def _draw_ids() -> Iterator[str]:
    while True:
        drawn = os.urandom(16 * 256).hex()  # asking the kernel for one takes as long as for many
        yield from (drawn[start : start + 32] for start in range(0, len(drawn), 32))


_IDS: Final = _draw_ids()


def choose_id(offered: str | None) -> str:
    """Return `offered` when it is harmless, else a new id."""
    return offered if offered and _HARMLESS.fullmatch(offered) else next(_IDS)


def identify(request: web.Request) -> str:
    """Give `request` its id, in the logs; the stack puts it on the answer."""
    request_id = choose_id(request.headers.get(HEADER))
    request[REQUEST_ID] = request_id
    bind_contextvars(request_id=request_id)  # aiohttp gives each request a context of its own
    return request_id
