"""Serve the description of the topics: `/asyncapi.json` and, for people, `/asyncapi`."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Final

from aiohttp import web

from workers.describe.document import write_document
from workers.describe.page import STYLE, build_page

if TYPE_CHECKING:
    from collections.abc import Mapping

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Nothing runs on the page and nothing is fetched for it."""


def add_description(app: web.Application) -> None:
    """Serve both from `app`; they are made now, and stay as they are."""
    document = write_document()
    page = build_page(json.loads(document))

    async def answer_document(_request: web.Request) -> web.Response:
        return web.Response(text=document, content_type="application/json", headers=HEADERS)

    async def answer_page(_request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers=HEADERS)

    app.router.add_get("/asyncapi.json", answer_document)
    app.router.add_get("/asyncapi", answer_page)
