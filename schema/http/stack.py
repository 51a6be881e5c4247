"""The stack: what every request meets on its way to a handler, in both services and in one order.

1. its id, in the logs and in the answer
2. the measure: once in the metrics, once in the log
3. the envelope: whatever fails below is an answer above
4. preflights of browsers: answered here
5. rate limits: of its source here; of its caller as soon as the token is verified
6. the handler

Headers - security, CORS, what is left of limits - are put on when an answer is about to be sent:
errors and streams have them too, and what a handler set itself stays. Those of an answer that is
Ready are written here already.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from schema.http.cors import Cors
from schema.http.dress import Dress
from schema.http.endpoints import ENDPOINTS
from schema.http.errors import answer_failure
from schema.http.limits.charge import Limit, Limiter
from schema.http.limits.rules import ANY, assign_rules, parse_rules
from schema.http.limits.shared import RedisWindows
from schema.http.limits.windows import MemoryWindows
from schema.http.measure import Meter, name_route
from schema.http.ready import Ready
from schema.http.request_ids import identify
from schema.http.security import security_headers
from schema.http.sources import PROXY_HOPS, source_of
from schema.ops.metrics import HttpMetrics
from schema.ops.probes import PATHS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from aiohttp.typedefs import Handler

    from schema.http.limits.windows import Windows
    from schema.http.settings import HttpSettings

METRICS: Final = web.AppKey("http_metrics", HttpMetrics)
"""Where the door finds what to count with."""


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
    limiter = _build_limiter(app, settings, limits=limits)
    closed = (*PATHS, *hooks)  # no page's to read
    cors = Cors(settings.cors_origins, credentials=settings.cors_credentials, closed=closed)
    dress = Dress(security_headers(hsts_s=settings.http_hsts_seconds), cors)
    app.middlewares.append(Stack(app, limiter=limiter, cors=cors, dress=dress, hooks=hooks).serve)
    app.on_response_prepare.append(dress.put_on)


class Way(NamedTuple):
    """What is known of a route before a request takes it."""

    meter: Meter
    limits: tuple[Limit, ...]
    """None where it is never limited."""


class Stack:
    """What stands before the handlers: one function, as each of its own costs every request."""

    def __init__(
        self,
        app: web.Application,
        *,
        limiter: Limiter,
        cors: Cors,
        dress: Dress,
        hooks: Collection[str],
    ) -> None:
        self._app = app
        self._limiter = limiter
        self._cors = cors
        self._dress = dress
        self._hooks = app.on_response_prepare
        self._told = frozenset(hooks)
        self._free = self._told.union(PATHS)
        self._ways: dict[web.AbstractRoute, Way] = {}
        self._stray = self._survey(None)

    @web.middleware
    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer `request` with what `handler` says, or with what keeps it from being asked."""
        request_id = identify(request)
        account = None
        started = time.perf_counter()
        route = request.match_info.route
        way = self._ways.get(route) or self._find_way(route)
        response: web.StreamResponse | None
        try:
            response = self._cors.answer_preflight(request)
            if response is None:
                if way.limits:
                    source = source_of(request)
                    account = self._limiter.open(request, way.limits)
                    await account.charge(ip=source)
                response = await handler(request)
        except Exception as error:  # noqa: BLE001  # whatever fails is an answer
            response = answer_failure(request, error)
        # Whoever else has a hook there wants to see the headers before they are sent.
        if isinstance(response, Ready) and len(self._hooks) == 1:
            self._dress.make_ready(request, response, request_id=request_id, account=account)
        way.meter.note(request, response, seconds=time.perf_counter() - started)
        return response

    def _find_way(self, route: web.AbstractRoute) -> Way:
        if route.resource is None:  # made by aiohttp for one request, to say that there is none
            return self._stray
        way = self._ways[route] = self._survey(route)
        return way

    def _survey(self, route: web.AbstractRoute | None) -> Way:
        name = name_route(route.resource if route else None)
        endpoint = self._app.get(ENDPOINTS, {}).get(route) if route else None
        return Way(
            meter=Meter(name, self._app[METRICS], told=name in self._told),
            limits=()
            if name in self._free
            else self._limiter.limits_of(endpoint.name if endpoint else ANY),
        )


def _build_limiter(app: web.Application, settings: HttpSettings, *, limits: str) -> Limiter:
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
    return Limiter(assigned, windows=windows, decisions=metrics.limit_decisions)
