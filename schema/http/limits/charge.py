"""Charging: each request to its source, and to its caller once they are who they say they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from schema.http.endpoints import endpoint_of
from schema.http.errors import HttpError
from schema.http.limits.rules import ANY
from schema.http.sources import source_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiohttp.typedefs import Handler
    from prometheus_client import Counter

    from schema.http.limits.rules import Rule
    from schema.http.limits.windows import Level, Windows


class Account:
    """What one request is charged to, and what its rules said."""

    def __init__(self, rules: tuple[Rule, ...], *, windows: Windows, decisions: Counter) -> None:
        self._rules = rules
        self._windows = windows
        self._decisions = decisions
        self._said: list[tuple[Rule, Level]] = []

    async def charge(self, **who: str) -> None:
        """Count the request in each of the scopes named. Raises HttpError 429."""
        for rule in self._rules:
            if rule.scope in who:
                await self._take(rule, who[rule.scope])

    def headers(self) -> Mapping[str, str]:
        """Return what tells the client what is left.

        https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (version 10)
        """
        if not self._said:
            return {}
        policies = (f'"{rule.name}";q={rule.limit};w={rule.window_s}' for rule, _ in self._said)
        levels = (f'"{rule.name}";r={level.left};t={level.wait_s}' for rule, level in self._said)
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(levels)}

    async def _take(self, rule: Rule, who: str) -> None:
        level = await self._windows.take(rule, who)
        if level is None:
            self._decisions.labels(rule.name, "unchecked").inc()
            return
        self._said.append((rule, level))
        self._decisions.labels(rule.name, "allowed" if level.allowed else "limited").inc()
        if not level.allowed:
            raise HttpError(
                "RATE_LIMITED",
                f"More than {rule.limit} requests in {rule.window_s} s.",
                details={"limit": rule.name},
                headers={"Retry-After": str(level.wait_s)},
            )


ACCOUNT: Final = web.RequestKey("account", Account)
"""Where the account of a request is; what is never limited has none."""


class Limiter:
    """Applies the rules of one service."""

    def __init__(
        self,
        rules: Mapping[str, tuple[Rule, ...]],
        *,
        windows: Windows,
        decisions: Counter,
        free: Collection[str],
    ) -> None:
        """Routes in `free` are never limited."""
        self._rules = rules
        self._windows = windows
        self._decisions = decisions
        self._free = frozenset(free)

    @web.middleware
    async def limit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Charge the source of a request. Raises HttpError 429."""
        resource = request.match_info.route.resource
        if resource is None or resource.canonical not in self._free:
            endpoint = endpoint_of(request)
            rules = self._rules[endpoint.name if endpoint else ANY]
            if rules:
                account = Account(rules, windows=self._windows, decisions=self._decisions)
                request[ACCOUNT] = account
                await account.charge(ip=source_of(request))
        return await handler(request)


async def charge(request: web.Request, *, user: str, organization: str | None = None) -> None:
    """Charge a request to the caller that its token was verified to be. Raises HttpError 429.

    Who acts for no organization is counted by themselves where organizations are.
    """
    account = request.get(ACCOUNT)
    if account is not None:
        await account.charge(user=user, organization=organization or user)
