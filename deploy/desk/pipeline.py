"""The first page: the pipeline at a glance, looked at once for all who watch."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web

from api.database import DatabaseUnavailableError
from deploy.desk.find.arrivals import glance
from deploy.desk.find.events import find_known
from deploy.desk.find.pipeline import (
    PLACES,
    Counter,
    History,
    every_minute,
    read_reach,
    read_tables,
)
from deploy.desk.find.targets import read_targets
from deploy.desk.kafka import BrokerAwayError
from deploy.desk.present_pipeline import present_pipeline
from deploy.desk.show import show
from schema.kafka.topics import GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.desk.database import Connection, Database
    from deploy.desk.find.arrivals import Arrival
    from deploy.desk.find.pipeline import Reach, Tables
    from deploy.desk.find.targets import Samples
    from deploy.desk.kafka import Reader

log = structlog.get_logger(__name__)

KEPT_S: Final = 2.0
"""For so long what was found is shown to whoever asks."""
EACH: Final = 10
"""The newest records of each partition that freshness is measured by."""


@dataclass(kw_only=True)
class Overview:
    """What was found at a moment; what could not be found is None, and `troubles` says why."""

    now: datetime
    tables: Tables | None = None
    reach: Reach | None = None
    arrivals: Sequence[Arrival] = ()
    known: Mapping[str, Any] = field(default_factory=dict)
    """What the ledger says of these arrivals."""
    applied: Sequence[tuple[int, int]] = ()
    """As `Reach.minutes`."""
    targets: Mapping[str, Samples | None] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


class Watch:
    """Looks at the pipeline, for several at once."""

    def __init__(self, database: Database, reader: Reader, targets: Mapping[str, str]) -> None:
        self._database = database
        self._reader = reader
        self._targets = targets
        self._turn = asyncio.Lock()
        self._counter = Counter()
        self._history = History()
        self._last: tuple[float, Overview] | None = None

    async def look(self) -> Overview:
        """Return how it is, as of KEPT_S ago at most."""
        async with self._turn:
            if self._last and time.monotonic() - self._last[0] < KEPT_S:
                return self._last[1]
            found = await self._look()
            self._last = time.monotonic(), found
            return found

    async def keep_history(self) -> None:
        """Note how much is applied at the beginning of each minute, until cancelled."""
        await every_minute(self._note)

    async def _note(self) -> None:
        try:
            async with self._database.reading() as connection:
                self._history.note(_consumed(await read_tables(connection)))
        except DatabaseUnavailableError:
            log.debug("minute_not_noted")

    async def _look(self) -> Overview:
        found = Overview(now=datetime.now(UTC))
        telling = asyncio.create_task(read_targets(self._targets))
        try:
            await self._look_at_tables(found)
            await self._look_at_kafka(found)
        finally:
            found.targets = await telling
        return found

    async def _look_at_tables(self, found: Overview) -> None:
        try:
            async with self._database.reading() as connection:
                found.tables = await read_tables(connection)
        except DatabaseUnavailableError as error:
            found.troubles.append(f"PostgreSQL: {error.message}")
            return
        applied = _consumed(found.tables)
        self._history.note(applied)
        found.applied = self._history.points(applied)

    async def _look_at_kafka(self, found: Overview) -> None:
        try:
            group = await self._reader.read_group(GROUP)
            async with self._reader.reading() as consumer:
                applied = found.tables.applied if found.tables else {}
                found.reach = await read_reach(
                    consumer, applied, group=group, counter=self._counter
                )
                found.arrivals = (await glance(consumer, before_ms=None, each=EACH)).arrivals
        except BrokerAwayError as error:
            found.troubles.append(f"Kafka: {error.message}")
            return
        if found.tables:
            async with self._database.reading() as connection:
                found.known = await self._find(connection, found.arrivals)

    async def _find(self, connection: Connection, arrivals: Sequence[Arrival]) -> Mapping[str, Any]:
        return await find_known(connection, {each.event_id for each in arrivals})


def _consumed(tables: Tables) -> Mapping[Any, int]:
    return {place: at for place, at in tables.applied.items() if place in _PLACES}


_PLACES: Final = frozenset(PLACES)

WATCH: Final = web.AppKey("watch", Watch)
"""Where handlers find it."""


async def show_pipeline(request: web.Request) -> web.Response:
    """Show how the pipeline is."""
    found = await request.app[WATCH].look()
    return show(request, "pipeline.html", present_pipeline(found), section="pipeline")
