"""CORS: which pages of other origins may read what we answer.

https://fetch.spec.whatwg.org/#http-cors-protocol

aiohttp-cors answers no `Vary: Origin`, which lets a shared cache give one origin's answer to
another, and leaves errors such as 404 and 405 without headers, which hides them from the page.
"""

from __future__ import annotations

from http import HTTPMethod
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

EXPOSED: Final = (
    "ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"
)
"""What pages may read beside the headers that they always may."""

SENT: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer,"
    " X-Request-ID"
)
"""What pages may send beside the same."""

MAX_AGE_S: Final = 7200
"""How long a browser keeps the answer to a preflight; Chromium does for no longer."""

_VARIES: Final = ("Vary", "Origin")
_EXPOSES: Final = ("Access-Control-Expose-Headers", EXPOSED)
_CREDENTIALS: Final = (("Access-Control-Allow-Credentials", "true"),)
_ANYBODY: Final = (("Access-Control-Allow-Origin", "*"), _EXPOSES)


class Cors:
    """The rules of one service: the origins, and the paths that are not for pages at all."""

    def __init__(
        self, origins: Collection[str], *, credentials: bool, closed: Collection[str]
    ) -> None:
        self._origins = frozenset(origins)
        self._any = "*" in origins
        self._credentials = credentials
        self._closed = frozenset(closed)

    def headers(self, request: web.BaseRequest) -> Sequence[tuple[str, str]]:
        """Return what tells the browser whether the page that asks may read the answer."""
        if not self._origins or request.path in self._closed:
            return ()
        if self._any:
            return _ANYBODY
        origin = request.headers.get("Origin", "")
        if origin not in self._origins:
            return (_VARIES,)
        may_sign_in = _CREDENTIALS if self._credentials else ()
        return (_VARIES, ("Access-Control-Allow-Origin", origin), *may_sign_in, _EXPOSES)

    def answer_preflight(self, request: web.Request) -> web.Response | None:
        """Answer a browser that asks whether it may ask; anything else is the handler's."""
        if request.method == HTTPMethod.OPTIONS and self._is_asked(request):
            failure = request.match_info.http_exception
            if isinstance(failure, web.HTTPMethodNotAllowed):
                return _allow(failure.allowed_methods)
        return None

    def _is_asked(self, request: web.Request) -> bool:
        origin = request.headers.get("Origin", "")
        return (
            "Access-Control-Request-Method" in request.headers
            and (self._any or origin in self._origins)
            and request.path not in self._closed
        )


def _allow(methods: Collection[str]) -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": SENT,
            "Access-Control-Max-Age": str(MAX_AGE_S),
        },
    )
