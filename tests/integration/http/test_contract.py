"""What well-behaved clients and browsers are told, as a second HTTP client reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from ingest.settings import IngestSettings
from schema.http.cors import EXPOSED, SENT
from schema.http.endpoints import Answer, Endpoint, add_endpoints
from schema.http.settings import HttpSettings
from schema.http.stack import put_stack
from schema.ops.metrics import HttpMetrics, new_registry
from tests.factories import SECRET
from tests.integration.http.conftest import behind_door
from tests.integration.http.test_failures import HEADERS

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from aiohttp.typedefs import Handler

    from tests.integration.http.conftest import Front, Open

OURS = "https://app.example.com"
THEIRS = "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-match"}


@pytest.mark.parametrize("path", ["/livez", "/none"])
async def test_every_answer_has_the_headers(either: Front, path: str) -> None:
    """Good ones and bad ones, and the id that the caller gave the request."""
    answer = await either.http.get(path, headers={"X-Request-ID": "request-0001"})

    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["X-Request-ID"] == "request-0001"
    assert "Strict-Transport-Security" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_tls_is_asked_for_where_it_is(open_either: Open) -> None:
    """Also in what is answered below the application."""
    async with open_either(http_hsts_seconds=31_536_000) as front:
        wire = await front.speak(b"nonsense\r\n\r\n")
        answer = await front.http.get("/livez")

    said = "max-age=31536000; includeSubDomains"
    assert answer.headers["Strict-Transport-Security"] == said
    assert f"Strict-Transport-Security: {said}".encode() in wire


async def test_pages_have_a_policy_of_their_own() -> None:
    """HTML may load our files; a handler that says more, such as hashes, is left alone."""

    async def page(request: web.Request) -> web.Response:
        own = {"Content-Security-Policy": "script-src 'sha256-x'"} if request.query else {}
        return web.Response(text="<p>", content_type="text/html", headers=own)

    async with _serve(page) as front:
        plain = (await front.http.get("/page")).headers
        own = (await front.http.get("/page?own=1")).headers

    assert "script-src 'self'" in plain["Content-Security-Policy"]
    assert "unsafe" not in plain["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in plain["Content-Security-Policy"]
    assert own["Content-Security-Policy"] == "script-src 'sha256-x'"


async def test_what_nobody_foresaw_is_a_500_without_details() -> None:
    """The log has it, the caller its id."""

    async def fail(_request: web.Request) -> web.Response:
        raise RuntimeError("secret")

    async with _serve(fail) as front:
        answer = await front.http.get("/page")

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "INTERNAL_ERROR"
    assert "secret" not in answer.text
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_our_pages_may_read_every_answer(open_either: Open) -> None:
    """Errors too, or a page could not tell them from a network that is away."""
    async with open_either(cors_origins=(OURS,), cors_credentials=True) as front:
        answer = await front.http.get("/none", headers={"Origin": OURS})

    assert answer.status_code == 404
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Expose-Headers"] == EXPOSED
    assert answer.headers["Vary"] == "Origin"


async def test_other_pages_may_not(open_either: Open) -> None:
    """And caches know that the answer differs."""
    async with open_either(cors_origins=(OURS,)) as front:
        answer = await front.http.get("/none", headers={"Origin": THEIRS})

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


async def test_preflights_are_answered_and_kept(open_api: Open) -> None:
    """Without a token: browsers send none."""
    async with open_api(cors_origins=(OURS,)) as front:
        asked = PREFLIGHT | {"Origin": OURS}
        answer = await front.http.options("/v1/users/user_1", headers=asked)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert answer.headers["Access-Control-Allow-Headers"] == SENT
    assert answer.headers["Access-Control-Max-Age"] == "7200"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "path", "status"),
    [(THEIRS, "/v1/users/user_1", 405), (OURS, "/none", 404), (OURS, "/metrics", 405)],
)
async def test_other_preflights_are_not(
    open_api: Open, origin: str, path: str, status: int
) -> None:
    """They are OPTIONS like any other, which no route knows."""
    async with open_api(cors_origins=(OURS,)) as front:
        answer = await front.http.options(path, headers=PREFLIGHT | {"Origin": origin})

    assert answer.status_code == status
    assert "Access-Control-Allow-Methods" not in answer.headers


async def test_webhooks_are_no_pages_business(open_ingest: Open) -> None:
    """Clerk is no browser."""
    async with open_ingest(cors_origins=("*",)) as front:
        asked = PREFLIGHT | {"Origin": OURS}
        preflight = await front.http.options("/webhooks/clerk", headers=asked)
        post = await front.http.post("/webhooks/clerk", headers={"Origin": OURS}, json={})

    assert (preflight.status_code, post.status_code) == (405, 400)
    assert "Access-Control-Allow-Origin" not in preflight.headers.keys() | post.headers.keys()


async def test_any_page_may_read_where_this_is_wanted(open_either: Open) -> None:
    """Then the answer is the same for all, and without cookies."""
    async with open_either(cors_origins=("*",)) as front:
        answer = await front.http.get("/none", headers={"Origin": THEIRS})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in answer.headers


def test_cookies_for_any_page_are_refused_at_start() -> None:
    """Any page could act for whoever is signed in."""
    with pytest.raises(ValidationError, match="CORS_CREDENTIALS"):
        IngestSettings(
            kafka_bootstrap_servers="a:1",
            clerk_webhook_signing_secret=(SecretStr(SECRET),),
            cors_origins=("*",),
            cors_credentials=True,
        )


def _serve(handler: Handler) -> AbstractAsyncContextManager[Front]:
    settings = HttpSettings()
    app = web.Application()
    answers = {200: Answer(description="A page.")}
    page = Endpoint(
        method="GET", path="/page", handler=handler, name="page", summary="", answers=answers
    )
    add_endpoints(app, [page])
    put_stack(app, settings, metrics=HttpMetrics(new_registry()), limits="off")
    return behind_door(app, settings)
