"""Circuit breakers, in every process that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from schema.ops.metrics.series import start_at_zero

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def new_breaker_gauge(registry: CollectorRegistry, *breakers: str) -> Gauge:
    """Return the gauge of a process's circuit breakers."""
    return start_at_zero(
        Gauge(
            "clerkwork_breaker_open",
            "1 while a dependency is not asked because it did not answer.",
            ["breaker"],
            registry=registry,
        ),
        breakers,
    )
