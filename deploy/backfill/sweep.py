"""Sweep through one resource: fetch, publish, note; the next page comes while one is published."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from deploy.backfill.note import finish_sweep, note_page
from deploy.backfill.publish import publish, write_page
from deploy.backfill.show import showing

if TYPE_CHECKING:
    from deploy.backfill.desk import Desk
    from deploy.backfill.note import Sweep
    from deploy.backfill.resources import Resource
    from deploy.backfill.settle import Outcomes
    from deploy.backfill.show import Course
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
    outcomes: Outcomes | None = None
    """What the ledger says of it, once that was read."""

    @property
    def sound(self) -> bool:
        """Whether all of it is published, and nothing of it failed, as far as is known."""
        failed = self.outcomes is not None and self.outcomes.failures
        return self.sweep.seen == self.sweep.published and not failed


async def sweep_through(desk: Desk, producer: Producer, resource: Resource, sweep: Sweep) -> Swept:
    """Publish what Clerk has of a resource from where the sweep is; nothing when it is through.

    Raises OperatorError, and what the client and the driver raise; each page is noted.
    """
    if sweep.finished_at:
        return Swept(resource=resource, sweep=sweep)
    began_s = time.monotonic()
    total = await resource.count(desk.clerk)
    with showing(
        resource.name, desk.console, total=total, done=sweep.seen, clerk=desk.clerk
    ) as course:
        unreadable = await _publish_pages(desk, producer, resource, sweep, course)
    finished = await finish_sweep(desk.connection, resource.name)
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
    desk: Desk, producer: Producer, resource: Resource, sweep: Sweep, course: Course
) -> list[str]:
    """Publish page by page, note each, and return the ids of what cannot be read."""
    unreadable, before = list[str](), frozenset[str]()
    pages = resource.walk(desk.clerk, cursor=sweep.cursor)
    async with contextlib.aclosing(pages):
        async for page in pages:
            written = write_page(resource.kind, page, seen_ms=sweep.started_ms, before=before)
            await publish(producer, written.records)
            at = replace(sweep, cursor=page.cursor)
            await note_page(desk.connection, at, seen=written.seen, published=len(written.records))
            course.advance(written.seen)
            unreadable += written.unreadable
            before = written.ids
    return unreadable
