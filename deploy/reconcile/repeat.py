"""Repeat: one comparison after the other, until told to stop, and metrics of each."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from deploy.errors import explain
from deploy.reconcile.measure import measure, serving_metrics
from schema.ops.metrics import ReconcileMetrics, new_registry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deploy.reconcile.drift import Report
    from deploy.reconcile.settings import ReconcileSettings

    Compare = Callable[[], Awaitable[Report]]

log = structlog.get_logger(__name__)


async def repeat(
    compare: Compare, settings: ReconcileSettings, *, every_s: float, stop: asyncio.Event
) -> None:
    """Compare every so often until `stop` is set, and serve metrics.

    A run that fails is counted, and the next one comes all the same. Raises what nobody foresaw.
    """
    registry = new_registry()
    metrics = ReconcileMetrics(registry)
    async with serving_metrics(settings, registry):
        runs = asyncio.create_task(_repeat(compare, metrics, every_s=every_s))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({runs, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (runs, stopped):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await runs


async def _repeat(compare: Compare, metrics: ReconcileMetrics, *, every_s: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        next_at = loop.time() + every_s
        try:
            measure(await compare(), metrics)
        except Exception as error:
            if explain(error) is None:
                raise
            log.warning("reconcile_failed", reason=type(error).__name__)
            metrics.runs.labels("unfinished").inc()
        await asyncio.sleep(max(0.0, next_at - loop.time()))
