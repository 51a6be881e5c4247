"""What the desk counts, besides its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schema.ops.metrics.breakers import new_breaker_gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class DeskMetrics:
    """What the desk counts, besides its requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.breaker_open = new_breaker_gauge(registry, "jwks")
