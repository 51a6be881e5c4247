"""Sweep through one resource: fetch, publish, note; the next page comes while one is published."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from deploy.backfill.write import write_page
from deploy.clerk.publish import publish
from deploy.clerk.show import showing
from deploy.clerk.sweeps import note_sweep

if TYPE_CHECKING:
    from deploy.backfill.outcomes import Outcomes
    from deploy.clerk.resources import Resource
    from deploy.clerk.show import Course
    from deploy.clerk.sides import Sides
    from deploy.clerk.sweeps import Sweep
    from schema.kafka.producer import Producer

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What came of one resource."""

    resource: Resource
    sweep: Sweep
    here: int = 0
    """Things published now, and not before a break."""
    seconds: float = 0.0
    unreadable: tuple[str, ...] = ()
    """Ids of what cannot be a snapshot, of those met now."""
    enabled: bool = True
    """Whether the instance is to have any of it."""
    outcomes: Outcomes | None = None
    """What the ledger says of it, once that was read."""

    @property
    def sound(self) -> bool:
        """Whether all of it is published, and nothing of it failed, as far as is known."""
        failed = self.outcomes is not None and self.outcomes.failures
        return self.sweep.seen == self.sweep.published and not failed


async def sweep_through(
    sides: Sides, producer: Producer, resource: Resource, sweep: Sweep
) -> Swept:
    """Publish what Clerk has of a resource from where the sweep is; nothing when it is through.

    Raises OperatorError, and what the client and the driver raise; each page is noted.
    """
    if sweep.finished_at:
        return Swept(resource=resource, sweep=sweep)
    began_s = time.monotonic()
    total = await resource.count_enabled(sides.clerk)
    if total is None:
        await note_sweep(sides.connection, sides.task, sweep, finished=True)
        return Swept(resource=resource, sweep=sweep, enabled=False)
    with showing(
        resource.name, sides.console, total=total, done=sweep.seen, clerk=sides.clerk
    ) as course:
        finished, unreadable = await _publish_pages(sides, producer, resource, sweep, course)
    await note_sweep(sides.connection, sides.task, finished, finished=True)
    swept = Swept(
        resource=resource,
        sweep=finished,
        here=finished.published - sweep.published,
        seconds=time.monotonic() - began_s,
        unreadable=tuple(unreadable),
    )
    log.info(
        "backfill_published",
        resource=resource.name,
        seen=finished.seen,
        published=finished.published,
        seconds=round(swept.seconds, 3),
    )
    return swept


async def _publish_pages(
    sides: Sides, producer: Producer, resource: Resource, sweep: Sweep, course: Course
) -> tuple[Sweep, list[str]]:
    """Publish page by page, note each; return what to note in the end, and unreadable ids."""
    unreadable, before = list[str](), frozenset[str]()
    pages = resource.walk(sides.clerk, cursor=sweep.cursor)
    async with contextlib.aclosing(pages):
        async for page in pages:
            written = write_page(resource.kind, page, seen_ms=sweep.started_ms, before=before)
            await publish(producer, written.records)
            sweep = replace(
                sweep,
                cursor=page.cursor,
                seen=sweep.seen + written.seen,
                published=sweep.published + len(written.records),
            )
            await note_sweep(sides.connection, sides.task, sweep)
            course.advance(written.seen)
            unreadable += written.unreadable
            before = written.ids
    return replace(sweep, cursor=None), unreadable
