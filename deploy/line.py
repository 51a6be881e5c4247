"""Look at partitions that too many rejects have stopped, and let them go on."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from deploy.letters.operate import who
from schema.ops.settings import DatabaseSettings, read_settings
from schema.postgres.rows import LineStopsRow
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A partition; None stands for any."""

    topic: str | None = None
    partition: int | None = None


async def list_stops(database_url: str) -> list[LineStopsRow]:
    """Return the stops that stand, then those that were released. Raises what the driver raises."""
    async with connected(database_url, name="clerkwork-line") as connection:
        rows = await connection.fetch(_SQL["list_stops"])
    return [LineStopsRow(**row) for row in rows]


async def release(
    database_url: str, place: Place, *, allowance: int, operator: str | None = None
) -> list[Place]:
    """Let stopped partitions go on, and return which. Raises what the driver raises.

    `operator` is who, where it is not the user of this process.
    """
    async with connected(database_url, name="clerkwork-line") as connection:
        rows = await connection.fetch(
            _SQL["release_stops"],
            place.topic,
            place.partition,
            allowance,
            uuid.uuid4(),
            operator or who(),
        )
    return [Place(**row) for row in rows]


def parse_place(text: str | None) -> Place:
    """Return the place that `topic/partition` or `topic` names. Raises OperatorError."""
    if text is None:
        return Place()
    topic, slash, partition = text.partition("/")
    if slash and not partition.isdecimal():
        raise OperatorError(f"{text} is no place: write topic or topic/partition.")
    return Place(topic=topic, partition=int(partition) if slash else None)


def run_show(console: Console) -> int:
    """Print which partitions are stopped and why; 1 when one is."""
    url = read_settings(DatabaseSettings).database_url.get_secret_value()
    with refusing_in_words():
        stops = asyncio.run(list_stops(url))
    standing = [stop for stop in stops if stop.released_at is None]
    if stops:
        console.print(_table(stops))
    if not standing:
        console.print("No line is stopped.")
        return 0
    console.print(
        "Nothing of these is lost: their events wait in Kafka. Mend the cause, and the workers go"
        " on by themselves once it is deployed and the line released:\n"
        "  clerkwork line release                 to look at what comes with the limits as before\n"
        "  clerkwork line release --allow 1000    to let so many go to retry and dead letters",
        highlight=False,
    )
    return 1


def _table(stops: Sequence[LineStopsRow]) -> Table:
    table = Table("place", "rejects", "why the last", "stopped", "released", "allowed")
    for stop in stops:
        table.add_row(
            f"{stop.topic}/{stop.partition}",
            f"{stop.rejects} of {stop.events}",
            stop.reason,
            f"{stop.stopped_at:%F %T}Z",
            f"{stop.released_at:%F %T}Z" if stop.released_at else "",
            str(stop.allowance) if stop.released_at else "",
        )
    return table


def run_release(text: str | None, console: Console, *, allowance: int) -> int:
    """Let go on what `text` names, all where it is None, say what was done; 1 when nothing was.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    url = read_settings(DatabaseSettings).database_url.get_secret_value()
    with refusing_in_words():
        released = asyncio.run(release(url, parse_place(text), allowance=allowance))
    for place in released:
        console.print(f"{place.topic}/{place.partition} goes on within seconds.", highlight=False)
    if not released:
        console.print("No such line is stopped.")
    return 0 if released else 1
