"""Serve the description of the topics: `/asyncapi.json` and, for people, `/asyncapi`."""

from __future__ import annotations

import json

from aiohttp import web

from schema.http.pages.frame import PAGE_HEADERS
from workers.describe.document import write_document
from workers.describe.page import build_page


def add_description(app: web.Application) -> None:
    """Serve both from `app`; they are made now, and stay as they are."""
    document = write_document()
    page = build_page(json.loads(document))

    async def answer_document(_request: web.Request) -> web.Response:
        return web.Response(text=document, content_type="application/json", headers=PAGE_HEADERS)

    async def answer_page(_request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers=PAGE_HEADERS)

    app.router.add_get("/asyncapi.json", answer_document)
    app.router.add_get("/asyncapi", answer_page)
