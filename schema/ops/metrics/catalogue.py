"""The catalogue: every metric of every process, before anything is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schema.ops.metrics.api import ApiMetrics
from schema.ops.metrics.cache import CacheMetrics
from schema.ops.metrics.canary import CanaryMetrics
from schema.ops.metrics.declare import Declarations
from schema.ops.metrics.desk import DeskMetrics
from schema.ops.metrics.http import HttpMetrics
from schema.ops.metrics.ingest import IngestMetrics
from schema.ops.metrics.reconcile import ReconcileMetrics
from schema.ops.metrics.relay import RelayMetrics
from schema.ops.metrics.series import BuildMetrics, ShareMetrics
from schema.ops.metrics.workers import WorkerMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from schema.ops.metrics.declare import Metric

PROCESSES: Final[Mapping[str, tuple[Callable[[Declarations], Any], ...]]] = {
    "ingest": (IngestMetrics, HttpMetrics, BuildMetrics, ShareMetrics),
    "worker": (WorkerMetrics, BuildMetrics, ShareMetrics),
    "relay": (RelayMetrics, BuildMetrics, ShareMetrics),
    "api": (ApiMetrics, CacheMetrics, HttpMetrics, BuildMetrics, ShareMetrics),
    "desk": (DeskMetrics, HttpMetrics, BuildMetrics, ShareMetrics),
    "canary": (CanaryMetrics, BuildMetrics),
    "reconcile": (ReconcileMetrics, BuildMetrics),
}
"""Process -> the parts of its registry."""

BUDGETS: Final[Mapping[str, int]] = {
    "ingest": 4000,
    "worker": 250,
    "relay": 50,
    "api": 4800,
    "desk": 4000,
    "canary": 100,
    "reconcile": 50,
}
"""Process -> so many series it may have, whatever happens: those of the process itself included."""


def catalogue() -> dict[str, tuple[Metric, ...]]:
    """Return process -> its metrics, in the order in which it shows them."""
    return {process: _declared(parts) for process, parts in PROCESSES.items()}


def _declared(parts: tuple[Callable[[Declarations], Any], ...]) -> tuple[Metric, ...]:
    registry = Declarations()
    for part in parts:
        part(registry)
    return tuple(registry.metrics)
