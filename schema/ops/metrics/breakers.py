"""Circuit breakers, in every process that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schema.ops.metrics.declare import Declare
from schema.ops.metrics.promises import Promise

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Gauge


def new_breaker_gauge(registry: CollectorRegistry, *breakers: str) -> Gauge:
    """Return the gauge of a process's circuit breakers."""
    return Declare(registry).gauge(
        "clerkwork_breaker_open",
        "1 while a dependency is not asked because it did not answer.",
        unit="0 or 1",
        labels={"breaker": breakers},
        guards=Promise.SAFE if "kafka" in breakers else Promise.CACHE,
    )
