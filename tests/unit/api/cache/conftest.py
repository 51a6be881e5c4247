"""A cache whose time and trust are the test's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from api.cache.reads import Cache, Found, Loaded
from api.cache.rules import Policy, parse_rules
from api.present import tag
from api.respond import View
from schema.ops.metrics.cache import CacheMetrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    MakeDesk = Callable[..., "Desk"]


def loaded(body: bytes, tags: tuple[str, ...]) -> Loaded:
    """Return what a load finds."""
    return Loaded(View(body, tag(body)), tags)


@dataclass
class Desk:
    """A cache, and what it depends on."""

    rules: str = "show_user=60s/event"
    max_bytes: int = 1 << 20
    stale_s: float = 3600
    now: float = 1000.0
    trusted_until: float = float("inf")
    loads: int = 0
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    cache: Cache = field(init=False)

    def __post_init__(self) -> None:
        rules = parse_rules(self.rules)
        self.cache = Cache(
            Policy(rules, self.max_bytes, self.stale_s),
            trusted_until=lambda: self.trusted_until,
            metrics=CacheMetrics(self.registry, endpoints=rules),
            clock=lambda: self.now,
        )

    async def read(
        self,
        key: str = "1",
        *,
        body: bytes | Exception = b"{}",
        tags: tuple[str, ...] = ("user:1",),
    ) -> Found:
        """Read what loading would find as `body`."""

        async def load() -> Loaded:
            self.loads += 1
            if isinstance(body, Exception):
                raise body
            return loaded(body, tags)

        return await self.cache.read("show_user", key, load)

    async def read_by(self, load: Callable[[], Awaitable[Loaded]]) -> Found:
        """Read what `load` finds."""
        return await self.cache.read("show_user", "1", load)

    def value(self, name: str, **labels: str) -> float:
        """Return a metric."""
        return self.registry.get_sample_value(f"clerkwork_cache_{name}", labels) or 0.0


@pytest.fixture
def make_desk() -> MakeDesk:
    """Return what makes a cache."""
    return Desk


@pytest.fixture
def desk() -> Desk:
    """A cache with the rule that users have by default."""
    return Desk()
