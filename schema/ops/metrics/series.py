"""What all metrics are made with: registries, buckets, series that begin at 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Iterable


SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
"""Buckets for what takes a moment."""


def new_registry() -> CollectorRegistry:
    """Return a registry that already knows the process: memory, CPU, open files, version."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


MetricT = TypeVar("MetricT", Counter, Gauge)


def start_at_zero(metric: MetricT, values: Iterable[str]) -> MetricT:
    """Return the metric with a series for each of these values of its label."""
    for value in values:
        metric.labels(value)
    return metric
