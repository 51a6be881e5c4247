"""Answer: what the cache has found as HTTP, with how it was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from api.respond import respond

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from api.cache.reads import Found

NAME: Final = "clerkwork"
"""What the cache calls itself."""


def answer(request: web.Request, found: Found) -> web.Response:
    """Return the answer; 304 where the caller has it already."""
    return respond(request, found.entry.view, headers=describe(found))


def describe(found: Found) -> Mapping[str, str]:
    """Return the headers that say where an answer is from (RFC 9211, RFC 9111 §5.1)."""
    if found.outcome in {"miss", "joined"}:
        how = "; stored" if found.kept else ""
        how += "; collapsed" if found.outcome == "joined" else ""
        return {"Cache-Status": f"{NAME}; fwd=miss{how}"}
    headers = {
        "Cache-Status": f"{NAME}; hit; ttl={math.floor(found.ttl_s)}",
        "Age": str(max(0, round(found.age_s))),
    }
    if found.outcome == "stale":
        # RFC 9111 gave it up, but clients know it since RFC 7234 §5.5.1; the others see the ttl.
        headers["Warning"] = '110 - "Response is Stale"'
        headers["Cache-Status"] = f"{NAME}; hit; ttl={min(math.floor(found.ttl_s), -1)}"
    return headers
