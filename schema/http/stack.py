"""The stack: what every request meets on its way to a handler, in both services and in one order.

1. its id, in the logs and in the answer
2. the measure: once in the metrics, once in the log
3. the envelope: whatever fails below is an answer above
4. preflights of browsers: answered here
5. rate limits: of its source here; of its caller as soon as the token is verified
6. the handler

Headers - security, CORS, what is left of limits - are put on when an answer is about to be sent:
errors and streams have them too, and what a handler set itself stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from schema.http.cors import Cors
from schema.http.endpoints import ENDPOINTS
from schema.http.errors import envelope_errors
from schema.http.limits.charge import ACCOUNT, Limiter
from schema.http.limits.rules import assign_rules, parse_rules
from schema.http.limits.shared import RedisWindows
from schema.http.limits.windows import MemoryWindows
from schema.http.measure import measure_requests
from schema.http.request_ids import HEADER, REQUEST_ID, identify_requests
from schema.http.security import security_headers
from schema.http.sources import PROXY_HOPS
from schema.ops.metrics import HttpMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from schema.http.limits.windows import Windows
    from schema.http.settings import HttpSettings

METRICS: Final = web.AppKey("http_metrics", HttpMetrics)
"""Where the door finds what to count with."""

PROBES: Final = ("/livez", "/readyz", "/metrics")
"""Asked by machines of the operator's: not limited, and no page's to read."""


def put_stack(
    app: web.Application,
    settings: HttpSettings,
    *,
    metrics: HttpMetrics,
    limits: str,
    hooks: Collection[str] = (),
) -> None:
    """Put the stack on `app`, whose endpoints have been added.

    `hooks` are paths that senders of webhooks call: never limited here, for a sender who is
    turned away gives up in the end; no page's to read; and their handlers log for themselves.
    Raises SystemExit where `limits` names an endpoint that is not there.
    """
    app[METRICS] = metrics
    app[PROXY_HOPS] = settings.trusted_proxy_hops
    limiter = _build_limiter(app, settings, limits=limits, free=(*PROBES, *hooks))
    cors = Cors(
        settings.cors_origins,
        credentials=settings.cors_credentials,
        closed=(*PROBES, *hooks),
    )
    app.middlewares.extend(
        (
            identify_requests,
            measure_requests(metrics, told=hooks),
            envelope_errors,
            cors.answer_preflights,
            limiter.limit,
        )
    )
    security = security_headers(hsts_s=settings.http_hsts_seconds)

    async def dress(request: web.Request, response: web.StreamResponse) -> None:
        if REQUEST_ID in request:
            response.headers[HEADER] = request[REQUEST_ID]
        security.dress(response)
        cors.dress(request, response)
        if ACCOUNT in request:
            response.headers.update(request[ACCOUNT].headers())

    app.on_response_prepare.append(dress)


def _build_limiter(
    app: web.Application, settings: HttpSettings, *, limits: str, free: Collection[str]
) -> Limiter:
    metrics = app[METRICS]
    rules = parse_rules(limits)
    names = dict.fromkeys(endpoint.name for endpoint in app.get(ENDPOINTS, {}).values())
    try:
        assigned = assign_rules(rules, names)
    except ValueError as error:
        raise SystemExit(f"The rate limits are not valid: {error}") from None
    metrics.begin_limits(rule.name for rule in rules)
    windows: Windows = (
        RedisWindows(settings.redis_url.get_secret_value(), failures=metrics.limit_failures)
        if settings.redis_url and rules
        else MemoryWindows()
    )

    async def close(_app: web.Application) -> AsyncIterator[None]:
        yield
        await windows.close()

    app.cleanup_ctx.append(close)
    return Limiter(assigned, windows=windows, decisions=metrics.limit_decisions, free=free)
