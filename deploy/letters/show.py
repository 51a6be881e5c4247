"""Show one dead letter: what the index knows, the headers, and the payload from Kafka."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.database import connected, refusing_in_words
from deploy.errors import OperatorError
from deploy.letters.desk import CLIENT, DeskSettings, reading
from deploy.letters.fetch import fetch_letters
from deploy.letters.mask import mask_headers, mask_payload, show_headers, show_payload
from deploy.letters.select import Place, read_place
from deploy.letters.tell import one_line, write_line
from schema.ops.settings import read_settings
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg
    from aiokafka import AIOKafkaConsumer, ConsumerRecord
    from rich.console import Console

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)
_PLACED: Final = ("topic", "partition", "offset")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A letter: its row in the index, and its record while Kafka has it."""

    row: Mapping[str, Any]
    record: ConsumerRecord[Any, Any] | None

    @property
    def place(self) -> Place:
        """Where Kafka keeps it."""
        return Place(*(self.row[name] for name in _PLACED))


async def find_letter(connection: Connection, name: str, *, consumer: AIOKafkaConsumer) -> Found:
    """Return the letter that a svix-id or TOPIC/PARTITION/OFFSET names.

    Of several letters about one event, that is the one that waits for an operator, and the newest.
    Raises OperatorError when there is none.
    """
    place = read_place(name)
    row: Mapping[str, Any] | None
    if place:
        row = await find_row(connection, place)
    else:
        row = _as_values(await connection.fetchrow(_SQL["find_by_event"], name))
    if row is None:
        raise OperatorError(f"There is no dead letter {one_line(name)}.")
    return await find_record(row, consumer=consumer)


async def find_row(connection: Connection, place: Place) -> Mapping[str, Any] | None:
    """Return what the index says of the letter at a place; None where there is none."""
    return _as_values(await connection.fetchrow(_SQL["find_by_place"], *place))


async def find_record(row: Mapping[str, Any], *, consumer: AIOKafkaConsumer) -> Found:
    """Return the letter of a row of the index, with its record. Raises OperatorError."""
    found = Place(*(row[each] for each in _PLACED))
    records = await fetch_letters(consumer, {found: row["event_id"]})
    return Found(row=row, record=records.get(found))


def _as_values(row: asyncpg.Record | None) -> Mapping[str, Any] | None:
    return dict(row) if row else None


async def _find(settings: DeskSettings, name: str) -> Found:
    url = settings.database_url.get_secret_value()
    async with connected(url, name=CLIENT) as connection, reading(settings) as consumer:
        return await find_letter(connection, name, consumer=consumer)


def run_show(name: str, *, unmask: bool, console: Console) -> int:
    """Show a letter of the environment's servers, return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(DeskSettings)
    with refusing_in_words():
        found = asyncio.run(_find(settings, name))
    tell_letter(found, unmask=unmask, console=console)
    return 0


def tell_letter(found: Found, *, unmask: bool, console: Console) -> None:
    """Print a letter; personal data only when `unmask` says so."""
    for name, value in found.row.items():
        write_line(console, f"{name:<20}{one_line(value)}")
    if found.record is None:
        write_line(console, "\nKafka does not have the record any more: its retention has passed.")
        return
    raw = list(found.record.headers)
    write_line(console, "\nheaders")
    for name, text in show_headers(raw) if unmask else mask_headers(raw):
        write_line(console, f"  {one_line(name)}: {one_line(text)}")
    payload = found.record.value
    write_line(console, "\npayload")
    # Line by line: JSON escapes what would move the cursor, what is no JSON may hold it.
    shown = show_payload(payload) if unmask else mask_payload(payload)
    for line in shown.splitlines():
        write_line(console, f"  {one_line(line)}")
    if unmask:
        write_line(console, "\nPersonal data is shown above. The audit keeps no record of that.")
