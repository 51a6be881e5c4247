"""Dress: what is put on every answer when it is about to be sent.

Its request's id, security headers, CORS, and what is left of limits. What a handler set itself
stays.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPMethod
from typing import TYPE_CHECKING, Final

from aiohttp.hdrs import (
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    DATE,
    TRANSFER_ENCODING,
    VARY,
)
from aiohttp.http import HttpVersion11

from schema.http.limits.charge import ACCOUNT
from schema.http.request_ids import HEADER, REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from schema.http.cors import Cors
    from schema.http.limits.charge import Account
    from schema.http.ready import Kind, Ready
    from schema.http.security import SecurityHeaders

_OTHERS: Final = (
    *(CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING, DATE, CONNECTION),
    HEADER,
)
"""What an answer has beside security headers, or what those depend on."""


class Dress:
    """What one service puts on its answers."""

    def __init__(self, security: SecurityHeaders, cors: Cors) -> None:
        self._security = security
        self._cors = cors
        self._heads: dict[tuple[Kind, int], str] = {}
        self._taken = {name.lower() for name in (*_OTHERS, *security.data)}

    async def put_on(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers to `response`: a hook of aiohttp's, before it sends them."""
        request_id = request.get(REQUEST_ID)
        if request_id is not None:
            response.headers[HEADER] = request_id
        self._security.dress(response)
        for name, value in self._cors.headers(request):
            if name == VARY:
                response.headers.add(name, value)  # beside what it depends on already
            else:
                response.headers[name] = value
        account = request.get(ACCOUNT)
        if account is not None:
            response.headers.update(account.headers())

    def make_ready(
        self, request: web.Request, ready: Ready, *, request_id: str, account: Account | None
    ) -> None:
        """Write `ready` out as aiohttp and `put_on` would, where all about it is usual."""
        body = ready.plain
        if (
            body is None
            or not request.keep_alive
            or request.version != HttpVersion11
            or request.method == HTTPMethod.HEAD
            or not self._are_usual(ready)
        ):
            return
        key = ready.kind, ready.status
        head = self._heads.get(key) or self._begin_head(key, reason=ready.reason)
        if ready.own:
            head += _write_lines(ready.own.items())
        if cors := self._cors.headers(request):
            head += _write_lines(cors)
        if account is not None:
            head += _write_lines(account.headers().items())
        date = _write_date(int(time.time()))
        head += f"{HEADER}: {request_id}\r\nContent-Length: {len(body)}\r\nDate: {date}\r\n\r\n"
        ready.send_whole(head.encode() + body)

    def _begin_head(self, key: tuple[Kind, int], *, reason: str) -> str:
        kind, status = key
        security = self._security.choose(kind.headers.get(CONTENT_TYPE, ""))
        rest = [each for each in security.items() if each[0].lower() not in kind.names]
        head = f"HTTP/1.1 {status} {reason}\r\n"
        head += _write_lines(kind.headers.items()) + _write_lines(rest)
        self._heads[key] = head
        return head

    def _are_usual(self, ready: Ready) -> bool:
        """Tell whether no header of its own takes the place of another, or cannot be sent."""
        for name, value in ready.own.items():
            low = name.lower()
            if low in self._taken or low in ready.kind.names or not value.isprintable():
                return False
        return True


def _write_lines(headers: Iterable[tuple[str, str]]) -> str:
    """Return headers as they go over the wire."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


@lru_cache(1)
def _write_date(second: int) -> str:
    return formatdate(second, usegmt=True)
