"""Respond: encoded bodies as answers that browsers keep, and ask about before they use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web
from aiohttp.hdrs import CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY

from api.present import encode, tag
from schema.http.ready import Kind, Ready

if TYPE_CHECKING:
    from collections.abc import Mapping

_ETAG_ANY: Final = "*"
_JSON: Final = "application/json; charset=utf-8"
_HEADERS: Final[Mapping[str, str]] = {
    CACHE_CONTROL: "private, no-cache",
    VARY: "Authorization, Cookie",
}
_VIEW: Final = Kind({CONTENT_TYPE: _JSON, **_HEADERS})


class View(NamedTuple):
    """What a resource looks like to somebody, ready to be sent."""

    body: bytes
    etag: str


def make_view(body: Mapping[str, object]) -> View:
    """Return what `body` looks like on its way."""
    encoded = encode(body)
    return View(encoded, tag(encoded))


def respond(
    request: web.Request, view: View, *, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with `view`, or 304 where the caller has it already (RFC 9110 §13.1.2)."""
    own: dict[str, str] = {ETAG: f'"{view.etag}"', **(headers or {})}
    if IF_NONE_MATCH in request.headers:
        known = [each.value for each in request.if_none_match or ()]
        if view.etag in known or _ETAG_ANY in known:
            return web.Response(status=304, headers={**_HEADERS, **own})
    return Ready(view.body, kind=_VIEW, headers=own)
