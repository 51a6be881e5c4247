"""The registry of a process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from schema import VERSION
from schema.ops.metrics.declare import Declare


class BuildMetrics:
    """What runs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.info = Declare(registry).gauge(
            "clerkwork_build_info",
            "1; which version of clerkwork this process is.",
            unit="0 or 1",
            labels={"version": (VERSION,)},
        )
        self.info.labels(VERSION).set(1)


def new_registry() -> CollectorRegistry:
    """Return a registry that already knows the process: memory, CPU, open files, versions."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    BuildMetrics(registry)
    return registry
