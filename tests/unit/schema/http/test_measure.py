"""Measuring requests."""

from __future__ import annotations

from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from schema.http.measure import Meter, name_route
from schema.http.tokens.callers import CALLER
from schema.http.tokens.claims import Caller
from schema.ops.metrics import HttpMetrics


async def route(path: str, *, method: str = "GET") -> web.Request:
    """Return a request as the router hands it to the middlewares."""
    app = web.Application()

    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/v1/users/{id:[^/]+}", handler)
    app.router.add_get("/livez", handler)
    request = make_mocked_request(method, path, app=app)
    request._match_info = await app.router.resolve(request)
    return request


@pytest.mark.parametrize(
    ("method", "path", "label"),
    [
        ("GET", "/v1/users/user_1", "/v1/users/{id}"),
        ("GET", "/v1/users/user_1?limit=5", "/v1/users/{id}"),
        ("GET", "/wp-admin", "unmatched"),
        ("PUT", "/v1/users/user_1", "unmatched"),
    ],
)
async def test_the_label_is_the_template(method: str, path: str, label: str) -> None:
    """Scanners and ids must not make new series."""
    request = await route(path, method=method)

    assert name_route(request.match_info.route.resource) == label


async def test_a_request_is_one_observation_and_one_line() -> None:
    """With the status class, and with the caller where there is one."""
    registry = CollectorRegistry()
    request = await route("/v1/users/user_2")
    request[CALLER] = Caller(clerk_id="user_1", user_id=UUID(int=1), expires_at=0)
    with capture_logs() as lines:
        meter = Meter("/v1/users/{id}", HttpMetrics(registry))
        meter.note(request, web.Response(status=404), seconds=0.5)

    labels = {"route": "/v1/users/{id}", "status": "4xx"}
    assert registry.get_sample_value("clerkwork_http_request_seconds_count", labels) == 1
    (line,) = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request_served",
        "log_level": "info",
        "method": "GET",
        "route": "/v1/users/{id}",
        "status": 404,
        "user_id": "user_1",
    }


async def test_probes_do_not_fill_the_log() -> None:
    """They come every few seconds."""
    meter = Meter("/livez", HttpMetrics(CollectorRegistry()))
    with capture_logs() as lines:
        meter.note(await route("/livez"), web.Response(), seconds=0.5)

    assert [line["log_level"] for line in lines] == ["debug"]


async def test_streams_are_not_requests_that_take_long() -> None:
    """They last as long as their clients want; a histogram of answers is not about them."""
    registry = CollectorRegistry()
    stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    meter = Meter("/v1/users/{id}", HttpMetrics(registry))
    meter.note(await route("/v1/users/user_2"), stream, seconds=500.0)

    labels = {"route": "/v1/users/{id}", "status": "2xx"}
    assert registry.get_sample_value("clerkwork_http_request_seconds_count", labels) is None
