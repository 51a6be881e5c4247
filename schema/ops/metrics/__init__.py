"""The metric catalogue: every metric, its labels, its meaning and its promise, declared once.

Names follow Prometheus' rules (base units, counters end in `_total`); label sets are closed, so
that the first scrape already shows every series at 0, or bounded, and no series is a user's, an
event's or a message's. https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from schema.ops.metrics.api import ApiMetrics
from schema.ops.metrics.cache import CacheMetrics
from schema.ops.metrics.canary import CANARY_STATIONS, CanaryMetrics
from schema.ops.metrics.catalogue import BUDGETS, catalogue
from schema.ops.metrics.declare import Bound, Metric
from schema.ops.metrics.desk import DeskMetrics
from schema.ops.metrics.http import DECISIONS, REFUSALS, HttpMetrics
from schema.ops.metrics.ingest import ANSWERS, COMMAND_ANSWERS, IngestMetrics
from schema.ops.metrics.promises import Promise
from schema.ops.metrics.reconcile import DRIFT_KINDS, RUN_ENDS, ReconcileMetrics
from schema.ops.metrics.relay import RelayMetrics
from schema.ops.metrics.series import ShareMetrics, new_registry
from schema.ops.metrics.workers import (
    LETTER_STATES,
    LOOP_STEPS,
    OUTCOMES,
    SESSION_STATUSES,
    WAIT_KINDS,
    WorkerMetrics,
)

__all__ = [
    "ANSWERS",
    "BUDGETS",
    "CANARY_STATIONS",
    "COMMAND_ANSWERS",
    "DECISIONS",
    "DRIFT_KINDS",
    "LETTER_STATES",
    "LOOP_STEPS",
    "OUTCOMES",
    "REFUSALS",
    "RUN_ENDS",
    "SESSION_STATUSES",
    "WAIT_KINDS",
    "ApiMetrics",
    "Bound",
    "CacheMetrics",
    "CanaryMetrics",
    "DeskMetrics",
    "HttpMetrics",
    "IngestMetrics",
    "Metric",
    "Promise",
    "ReconcileMetrics",
    "RelayMetrics",
    "ShareMetrics",
    "WorkerMetrics",
    "catalogue",
    "new_registry",
]
