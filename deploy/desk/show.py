"""Show a page: its template rendered with what every page has, under a policy that is strict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from deploy.desk.admit import OPERATOR
from deploy.desk.models.frame import Frame
from deploy.desk.protect import form_token
from deploy.desk.render import build_environment, read_static, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.desk.models.frame import Section

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
"""Beside those that every answer has."""

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, kw_only=True)
class Page:
    """A template and what it shows."""

    template: str
    model: Any
    section: Section = ""
    status: int = 200


class Pages:
    """Renders pages, and has the files that they need."""

    def __init__(self) -> None:
        self._static = read_static()
        self._environment = build_environment(
            {name: address for name, (address, _) in self._static.items()}
        )

    def show(self, request: web.Request, page: Page) -> web.Response:
        """Return the answer that is this page."""
        operator = request.get(OPERATOR)
        frame = Frame(
            section=page.section,
            operator=operator.caller.clerk_id if operator else None,
            form_token=form_token(operator.identity) if operator else "",
            now=datetime.now(UTC),
            can_sign_out=operator is not None and operator.own_session,
        )
        html = render(self._environment, page.template, page=page.model, frame=frame)
        return web.Response(
            text=html, content_type="text/html", status=page.status, headers=_HEADERS
        )

    async def serve_static(self, request: web.Request) -> web.Response:
        """Answer with a static file, for a year: what changes has another address."""
        address, content = self._static.get(request.match_info["name"], ("", b""))
        if not address:
            raise web.HTTPNotFound
        return web.Response(
            body=content,
            content_type=_TYPES[address.partition("?")[0].rpartition(".")[2]],
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )


PAGES: Final = web.AppKey("pages", Pages)
"""Where handlers find them."""


def show(request: web.Request, template: str, model: Any, *, section: Section = "") -> web.Response:
    """Return the answer that is a page."""
    return request.app[PAGES].show(request, Page(template=template, model=model, section=section))


def go_to(path: str) -> web.Response:
    """Return the answer after a change: a browser that loads anew changes nothing again."""
    return web.Response(status=303, headers={"Location": path})
