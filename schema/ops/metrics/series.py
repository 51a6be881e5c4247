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


class ShareMetrics:
    """Who is behind a scrape target that several processes share."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processes = Declare(registry).gauge(
            "clerkwork_processes",
            "Processes behind this target, where they share one: those that have told what they"
            " count, and those that are alive and did not answer.",
            unit="processes",
            labels={"state": ("told", "silent")},
        )


def new_registry() -> CollectorRegistry:
    """Return a registry that already knows the process: memory, CPU, open files, versions."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    BuildMetrics(registry)
    return registry
