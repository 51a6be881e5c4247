"""Answers that are sent in one piece say what others say."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Final, Literal

import pytest
from aiohttp import web

from ingest.settings import IngestSettings
from schema.http.endpoints import Endpoint, add_endpoints
from schema.http.ready import Kind, Ready
from schema.http.stack import put_stack
from schema.ops.metrics import HttpMetrics, new_registry
from tests.factories import SECRET
from tests.integration.http.conftest import NOBODY, behind_door

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BODY: Final = '{"name":"Zoë"}'.encode()
PRIVATE: Final = {"Content-Type": "application/json", "cache-control": "private", "Vary": "Cookie"}
PAGE: Final = {"Content-Type": "text/html; charset=utf-8"}
KINDS: Final = tuple(map(Kind, (PRIVATE, PAGE)))
OWN: Final[tuple[Mapping[str, str], ...]] = (
    {},
    {"ETag": '"abc"', "X-Own": "a b"},
    {"Server": "other", "Vary": "Origin"},
    {"Cache-Control": "max-age=1"},
    {"X-Own": "Zoë"},
    {"X-Own": "tab\there"},
)
ORIGIN: Final = "https://app.example.com"
_MOMENT: Final = re.compile(rb"(?<=;[rt]=)\d+")


async def answer_ready(request: web.Request) -> web.StreamResponse:
    """Answer in one piece."""
    kind, own = KINDS[int(request.query["kind"])], OWN[int(request.query["own"])]
    return Ready(BODY, kind=kind, status=202, headers=own)


async def answer_plainly(request: web.Request) -> web.StreamResponse:
    """Answer the same as aiohttp does."""
    response = web.Response(body=BODY, status=202)
    response.headers.update(KINDS[int(request.query["kind"])].headers)
    response.headers.update(OWN[int(request.query["own"])])
    return response


async def answer_changed(_request: web.Request) -> web.StreamResponse:
    """Answer with one that was changed after it was made."""
    ready = Ready(BODY, headers={"ETag": '"1"'})
    ready.headers["ETag"] = '"2"'
    ready.set_cookie("name", "value")
    return ready


async def answer_last(_request: web.Request) -> web.StreamResponse:
    """Answer with the last one of a connection."""
    ready = Ready(BODY)
    ready.force_close()
    return ready


HANDLERS: Final = {
    "ready": answer_ready,
    "plain": answer_plainly,
    "changed": answer_changed,
    "last": answer_last,
}


def build_app(settings: IngestSettings) -> web.Application:
    """Return an application with the stack and the answers above."""
    app = web.Application()
    add_endpoints(
        app,
        [
            Endpoint(method="GET", path=f"/{name}", name=name, summary="", answers={}, handler=each)
            for name, each in HANDLERS.items()
        ],
    )
    put_stack(app, settings, metrics=HttpMetrics(new_registry()), limits="*=1000/minute/ip")
    return app


def build_settings(origins: str) -> IngestSettings:
    """Return settings in which pages of these origins may read the answers."""
    return IngestSettings.model_validate(
        {
            "kafka_bootstrap_servers": NOBODY,
            "clerk_webhook_signing_secret": SECRET,
            "cors_origins": origins,
            "cors_credentials": origins not in {"", "*"},
        }
    )


def sort_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers in no order and without what passes."""
    return sorted(
        (name.lower(), b"" if name.lower() == b"date" else _MOMENT.sub(b"", value))
        for name, value in headers
    )


@pytest.mark.parametrize("origins", ["", "*", ORIGIN])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_they_say_the_same(origins: str, method: Literal["GET", "HEAD"]) -> None:
    """Status, headers and body, for all that is usual and for all that is not."""
    settings = build_settings(origins)
    identified = {"X-Request-ID": "req-12345678"}
    sent: Sequence[Mapping[str, str]] = (
        identified,
        {**identified, "Origin": ORIGIN},
        {**identified, "Origin": "https://stranger.example.com"},
        {**identified, "Connection": "close"},
    )
    async with behind_door(build_app(settings), settings) as front:
        for headers, kind, own in product(sent, range(len(KINDS)), range(len(OWN))):
            asked = {"params": {"kind": kind, "own": own}, "headers": headers}
            ready = await front.http.request(method, "/ready", **asked)
            plain = await front.http.request(method, "/plain", **asked)
            assert ready.status_code == plain.status_code == 202
            assert sort_headers(ready.headers.raw) == sort_headers(plain.headers.raw)
            assert ready.content == plain.content == (BODY if method == "GET" else b"")


async def test_old_clients_are_told_that_the_connection_stays() -> None:
    """HTTP/1.0 closes it unless both say otherwise."""
    settings = build_settings("")
    asked = b"GET /%b?kind=0&own=0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    async with behind_door(build_app(settings), settings) as front:
        answers = await front.speak(asked % b"ready" + b"GET /last HTTP/1.1\r\nHost: here\r\n\r\n")
    assert answers.startswith(b"HTTP/1.0 202 Accepted\r\n")
    assert b"\r\nConnection: keep-alive\r\n" in answers
    assert b"HTTP/1.1 200 OK\r\n" in answers


async def test_what_was_changed_is_sent() -> None:
    """Whoever looks at the headers may change them; cookies are no different."""
    settings = build_settings("")
    async with behind_door(build_app(settings), settings) as front:
        answer = await front.http.get("/changed")
    assert answer.headers["ETag"] == '"2"'
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.cookies["name"] == "value"


async def test_the_last_one_says_so() -> None:
    """An answer after which the connection closes is not sent as those of others."""
    settings = build_settings("")
    async with behind_door(build_app(settings), settings) as front:
        answer = await front.http.get("/last")
    assert answer.headers["Connection"] == "close"
    assert answer.content == BODY
