"""Measure a consumer's loop: where its time goes, and how far behind its partitions are."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import structlog

from workers.budget import Budget
from workers.lag import Lag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from aiokafka import ConsumerRecord

    from schema.ops.metrics import WorkerMetrics
    from workers.commit import Control
    from workers.lag import Found

    Record = ConsumerRecord[Any, Any]
    Step = Callable[[Sequence[Record]], Awaitable[None]]

log = structlog.get_logger(__name__)

MEASURE_EVERY_S: Final = 1.0


class Meter:
    """Told by the loop of each batch, never of each record."""

    def __init__(self, control: Control, metrics: WorkerMetrics) -> None:
        self.budget = Budget(metrics.loop_seconds)
        self.lag = Lag(control, metrics)

    def fetch(self) -> None:
        """Note that the loop waits for records."""
        self.budget.rest("fetch")

    def take(self, found: Found) -> None:
        """Note that it has these."""
        self.budget.rest("apply")
        self.lag.take(found)

    def around(self, step: Step) -> Step:
        """Return the step that also notes its end: what follows is the commit of its offsets."""

        async def measured(records: Sequence[Record]) -> None:
            try:
                await step(records)
                self.lag.land()
            finally:
                self.budget.rest("commit")

        return measured

    @contextlib.asynccontextmanager
    async def measuring(self) -> AsyncIterator[None]:
        """Keep the metrics up to date while the context lasts."""
        task = asyncio.create_task(self._measure_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _measure_on(self) -> None:
        while True:
            self.budget.settle()
            try:
                await self.lag.measure()
            except Exception:
                log.exception("lag_not_measured")
            await asyncio.sleep(MEASURE_EVERY_S)
