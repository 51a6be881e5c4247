"""Rebuild: a shadow, filled from Kafka while workers go on; a comparison; a swap."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from deploy.letters.ask import agree
from deploy.letters.desk import PATIENCE_S, naming_kafka, reading
from deploy.partitions import keep_others_out
from deploy.rebuild.fetch import CLIENT
from deploy.rebuild.fill import Fill, open_fill
from deploy.rebuild.reach import require_reach
from deploy.rebuild.settle import Settled, prepare, settle
from deploy.rebuild.shadow import drop_shadow, make_shadow, opened_shadow
from deploy.rebuild.show import tell_differences, tell_end, tell_filled, tell_json
from deploy.signals import INTERRUPTED, interruptible
from deploy.terminal import is_live
from deploy.topics import connected_admin
from schema.kafka.connections import connection_arguments
from schema.kafka.topics import GROUP
from schema.ops.logs import configure_logs
from schema.ops.settings import read_settings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import asyncpg
    from rich.console import Console

    from schema.ops.settings import KafkaSettings

    Connection = asyncpg.Connection[asyncpg.Record]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How it is to be done."""

    dry_run: bool = False
    """Only compare."""
    yes: bool = False
    """Do not ask."""
    keep: bool = False
    """Put the tables that are replaced aside, instead of dropping them."""
    unmask: bool = False
    as_json: bool = False


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What was found, and what was done."""

    settled: Settled
    records: int
    """How many were applied to the shadow."""
    seconds: float
    """How long the filling took."""
    failed: Counter[str] = field(default_factory=Counter)
    """Why events could not be applied -> how many."""


async def rebuild(settings: WorkerSettings, wishes: Wishes, console: Console) -> Rebuilt:
    """Rebuild, compare, and swap where something differs and the wishes or the operator agree.

    Says what differs, but for JSON. Raises OperatorError and what the drivers raise; then the
    live tables are as they were.
    """
    async with _opened(settings, console) as (connection, fill, seconds):
        erase_after = settings.clerkwork_erase_after
        act = partial(settle, connection, fill, erase_after=erase_after, keep=wishes.keep)
        await prepare(connection, fill, erase_after=erase_after)
        settled = await act(swapping=wishes.yes and not wishes.dry_run)
        if not wishes.as_json:
            tell_filled(fill.records, seconds, fill.failed, console)
            tell_differences(settled.comparisons, unmask=wishes.unmask, console=console)
        if settled.rows and not (wishes.yes or wishes.dry_run) and _agree(settled.rows):
            await prepare(connection, fill, erase_after=erase_after)  # an answer may take a day
            settled = await act(swapping=True)
        return Rebuilt(settled=settled, records=fill.records, seconds=seconds, failed=fill.failed)


def run_rebuild(wishes: Wishes, console: Console) -> int:
    """Rebuild the environment's database from its Kafka, and say what was done.

    Returns 1 when something differs and was left as it is. Raises OperatorError, and SystemExit
    when the environment is not valid.
    """
    settings = read_settings(WorkerSettings)
    # How many events fail, and why, is told in the end: workers have logged each.
    configure_logs(settings.model_copy(update={"log_level": "CRITICAL"}))
    try:
        with refusing_in_words(), interruptible():
            rebuilt = asyncio.run(rebuild(settings, wishes, console))
    except KeyboardInterrupt:
        console.print("Interrupted: the tables are as they were, or wholly rebuilt.")
        return INTERRUPTED
    if wishes.as_json:
        tell_json(rebuilt, unmask=wishes.unmask, console=console)
    else:
        tell_end(rebuilt.settled, keep=wishes.keep, console=console)
    return 1 if rebuilt.settled.rows and not rebuilt.settled.swapped else 0


@contextlib.asynccontextmanager
async def _opened(
    settings: WorkerSettings, console: Console
) -> AsyncIterator[tuple[Connection, Fill, float]]:
    """Have a shadow, filled, and how long that took; drop what is left of it in the end."""
    url = settings.database_url.get_secret_value()
    async with (
        reading(settings, client=CLIENT, beyond="none") as consumer,
        connected(url, name=CLIENT) as connection,
    ):
        if not await keep_others_out(connection):
            raise OperatorError(
                "A migration, maintenance or another rebuild is running: try again after it."
            )
        with naming_kafka():
            reach = await require_reach(connection, consumer, await _read_committed(settings))
        try:
            await make_shadow(connection, url)
            async with opened_shadow(url) as pool:
                fill = await open_fill(
                    connection, pool, consumer, reach, history_limit=settings.worker_history_limit
                )
                began_s = time.monotonic()
                ends = await reach.read_ends(connection)
                with _progress(fill.tape.left(ends), console) as advance:
                    await fill.fill_to(ends, advance)
                yield connection, fill, time.monotonic() - began_s
        finally:
            await drop_shadow(connection)


@retry(
    retry=retry_if_exception_type(GroupCoordinatorNotAvailableError),  # nobody has asked before
    stop=stop_after_delay(PATIENCE_S),
    wait=wait_fixed(0.2),
    reraise=True,
)
async def _read_committed(settings: KafkaSettings) -> dict[TopicPartition, int]:
    """Return how far the workers' group has come."""
    async with connected_admin(connection_arguments(settings)) as admin:
        committed = await admin.list_consumer_group_offsets(GROUP)
    return {
        TopicPartition(place.topic, place.partition): held.offset
        for place, held in committed.items()
    }


@contextlib.contextmanager
def _progress(total: int, console: Console) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("applying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not is_live())
    task = bar.add_task("applying", total=total)
    with bar:
        yield lambda records: bar.advance(task, records)


def _agree(rows: int) -> bool:
    # Ctrl-C must end the question at once, and not only the task that asks.
    with interruptible():
        return agree(f"{rows} rows differ. Put the rebuilt tables in their place?", yes=False)
