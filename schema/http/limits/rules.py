"""The rules as an operator writes them: `create_post=30/minute/user, *=6000/minute/ip`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Scope = Literal["ip", "user", "organization"]
"""Whose requests are counted together."""

ANY: Final = "*"
"""Every endpoint without a rule of its own in this scope, all of them counted together."""
OFF: Final = "off"
"""No rules at all."""

_SECONDS: Final[Mapping[str, int]] = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RULE: Final = re.compile(
    rf"(\*|[a-z][a-z0-9_]*)=([1-9]\d{{0,8}})/([1-9]\d{{0,3}} ?)?({'|'.join(_SECONDS)})s?"
    rf"/({'|'.join(get_args(Scope))})"
)


class Rule(NamedTuple):
    """At most `limit` requests in `window_s` seconds from each of a scope."""

    endpoint: str
    """The name of an Endpoint, or ANY."""
    limit: int
    window_s: int
    scope: Scope

    @property
    def name(self) -> str:
        """What the headers and the metrics call it."""
        return f"{'default' if self.endpoint == ANY else self.endpoint}-{self.scope}"


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules in `text`, comma-separated. Raises ValueError."""
    if text.strip() == OFF:
        return ()
    rules = tuple(_parse_rule(part.strip()) for part in text.split(",") if part.strip())
    if len({rule.name for rule in rules}) < len(rules):
        raise ValueError("an endpoint has two rules for one scope")
    return rules


def _parse_rule(text: str) -> Rule:
    parts = _RULE.fullmatch(text)
    if parts is None:
        raise ValueError(
            "each must be like create_post=30/minute/user, with second, minute, hour or day"
            " and ip, user or organization; `off` for none"
        )
    endpoint, limit, count, unit, _ = parts.groups()
    scope = next(each for each in get_args(Scope) if each == parts[5])
    return Rule(endpoint, int(limit), int(count or 1) * _SECONDS[unit], scope)


def assign_rules(
    rules: Collection[Rule], endpoints: Collection[str]
) -> Mapping[str, tuple[Rule, ...]]:
    """Return the rules of each endpoint, and under ANY those of what is no endpoint.

    Raises ValueError for a rule about an endpoint that is not there.
    """
    unknown = {rule.endpoint for rule in rules} - {*endpoints, ANY}
    if unknown:
        known = ", ".join(sorted(endpoints))
        raise ValueError(f"there is no {', '.join(sorted(unknown))}, but: {known}")
    return {name: _rules_of(name, rules) for name in (*endpoints, ANY)}


def _rules_of(name: str, rules: Collection[Rule]) -> tuple[Rule, ...]:
    own = {rule.scope: rule for rule in rules if rule.endpoint == name}
    default = {rule.scope: rule for rule in rules if rule.endpoint == ANY}
    return tuple((default | own).values())
