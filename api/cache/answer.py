"""Answer: what the cache has found as HTTP, with how it was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.cache.reads import Found

NAME: Final = "clerkwork"
"""What the cache calls itself."""

_ETAG_ANY: Final = "*"


def answer(request: web.Request, found: Found) -> web.Response:
    """Return the answer; 304 where the caller has it already."""
    headers = {
        # Browsers ask each time whether what they have is still right, and nobody else keeps it.
        "Cache-Control": "private, no-cache",
        # A shared browser can hold what another caller saw, by cookie or header.
        "Vary": "Authorization, Cookie",
        **describe(found),
    }
    known = [each.value for each in request.if_none_match or ()]
    if found.entry.etag in known or _ETAG_ANY in known:
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(
            body=found.entry.body, content_type="application/json", charset="utf-8", headers=headers
        )
    response.etag = found.entry.etag
    return response


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
