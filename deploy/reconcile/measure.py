"""Measure: what a run has found, for Prometheus."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry, write_to_textfile

from deploy.reconcile.drift import ExitCode
from schema.ops.metrics import DRIFT_KINDS, ReconcileMetrics
from schema.ops.probes import add_probes, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from deploy.reconcile.drift import Report
    from deploy.reconcile.settings import ReconcileSettings

_OUTCOMES = {ExitCode.CLEAN: "clean", ExitCode.DRIFT: "drift", ExitCode.UNFINISHED: "unfinished"}
_LOOKED_FOR = {
    "full": {(resource, kind) for resource, kinds in DRIFT_KINDS.items() for kind in kinds},
    "incremental": {("users", "missing"), ("users", "stale")},
}
"""Mode of a run -> the kinds of which it tells how many there are; a sample tells of none."""


def measure(report: Report, metrics: ReconcileMetrics) -> None:
    """Note what a run has found."""
    for resource, kind in _LOOKED_FOR.get(report.mode, set()):
        metrics.drift.labels(resource, kind).set(0)
    for drift in report.drifts:
        if report.mode in _LOOKED_FOR:
            metrics.drift.labels(drift.resource, drift.kind).set(drift.left)
        metrics.found.labels(drift.resource).inc(drift.found)
    for resource, number in report.checked.items():
        metrics.checked.labels(resource).inc(number)
    metrics.runs.labels(_OUTCOMES[report.exit_code]).inc()
    metrics.seconds.set(report.seconds)
    if report.exit_code is not ExitCode.UNFINISHED:
        metrics.finished.set_to_current_time()


def write_metrics(report: Report, path: Path) -> None:
    """Write what one run has found for node_exporter's textfile collector, wholly or not at all.

    https://github.com/prometheus/node_exporter#textfile-collector
    """
    registry = CollectorRegistry()
    measure(report, ReconcileMetrics(registry))
    write_to_textfile(str(path), registry)


@contextlib.asynccontextmanager
async def serving_metrics(
    settings: ReconcileSettings, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Serve metrics and probes while the context lasts."""
    app = web.Application()
    add_probes(app, registry=registry, live={}, ready={})
    host, port = settings.reconcile_metrics_host, settings.reconcile_metrics_port
    async with serving(app, host=host, port=port):
        yield
