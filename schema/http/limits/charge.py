"""Charging: each request to its source, and to its caller once they are who they say they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from schema.http.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prometheus_client import Counter

    from schema.http.limits.rules import Rule
    from schema.http.limits.windows import Level, Windows


class Limit:
    """A rule, and what is the same whenever it is applied."""

    __slots__ = ("allowed", "limited", "name", "policy", "rule", "unchecked")

    def __init__(self, rule: Rule, decisions: Counter) -> None:
        self.rule = rule
        self.name = f'"{rule.name}"'
        self.policy = f"{self.name};q={rule.limit};w={rule.window_s}"
        self.allowed = decisions.labels(rule.name, "allowed")
        self.limited = decisions.labels(rule.name, "limited")
        self.unchecked = decisions.labels(rule.name, "unchecked")


class Account:
    """What one request is charged to, and what its rules said."""

    __slots__ = ("_limits", "_said", "_windows")

    def __init__(self, limits: tuple[Limit, ...], *, windows: Windows) -> None:
        self._limits = limits
        self._windows = windows
        self._said: list[tuple[Limit, Level]] = []

    async def charge(self, **who: str) -> None:
        """Count the request in each of the scopes named. Raises HttpError 429."""
        for limit in self._limits:
            name = who.get(limit.rule.scope)
            if name is not None:
                await self._take(limit, name)

    def headers(self) -> Mapping[str, str]:
        """Return what tells the client what is left.

        https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (version 10)
        """
        if not self._said:
            return {}
        levels = [f"{limit.name};r={level.left};t={level.wait_s}" for limit, level in self._said]
        return {
            "RateLimit-Policy": ", ".join([limit.policy for limit, _ in self._said]),
            "RateLimit": ", ".join(levels),
        }

    async def _take(self, limit: Limit, who: str) -> None:
        rule = limit.rule
        level = await self._windows.take(rule, who)
        if level is None:
            limit.unchecked.inc()
            return
        self._said.append((limit, level))
        if level.allowed:
            limit.allowed.inc()
            return
        limit.limited.inc()
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
        self, rules: Mapping[str, Iterable[Rule]], *, windows: Windows, decisions: Counter
    ) -> None:
        """`rules` are those of each endpoint, and under ANY those of what is none."""
        self._limits = {
            name: tuple(Limit(rule, decisions) for rule in each) for name, each in rules.items()
        }
        self._windows = windows

    def limits_of(self, name: str) -> tuple[Limit, ...]:
        """Return the limits of an endpoint, or of ANY."""
        return self._limits[name]

    def open(self, request: web.Request, limits: tuple[Limit, ...]) -> Account:
        """Open the account of a request."""
        account = request[ACCOUNT] = Account(limits, windows=self._windows)
        return account


async def charge(request: web.Request, *, user: str, organization: str | None = None) -> None:
    """Charge a request to the caller that its token was verified to be. Raises HttpError 429.

    Who acts for no organization is counted by themselves where organizations are.
    """
    account = request.get(ACCOUNT)
    if account is not None:
        await account.charge(user=user, organization=organization or user)
