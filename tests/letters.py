"""Have events die, and look at their letters."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

from deploy.environment import ROOT
from deploy.letters.desk import reading
from deploy.letters.fetch import fetch_letters
from deploy.letters.select import Place
from schema.ops.settings import KafkaSettings, read_settings
from tests.factories import inbound_headers, new_event_id, user_event
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]

TOPIC = "clerk.user-events"
FAULT = "ALTER TABLE users ADD CONSTRAINT fault CHECK (first_name <> 'Faulty')"
FIX = "ALTER TABLE users DROP CONSTRAINT fault"


async def publish(
    producer: AIOKafkaProducer, user: str, *, at: int, first_name: str = "Faulty"
) -> str:
    """Publish what ingest would, and return the svix-id."""
    event_id = new_event_id()
    body = user_event(user, at=at, first_name=first_name)
    await producer.send_and_wait(
        TOPIC, body, key=user.encode(), headers=inbound_headers(event_id, subject=user)
    )
    return event_id


async def find_letters(database: Database, user: str, state: str | None = None) -> list[Any]:
    """Return a user's letters, the oldest first."""
    return await database.fetch(
        "SELECT * FROM dead_letters WHERE clerk_user_id = $1 AND ($2::text IS NULL OR state = $2)"
        ' ORDER BY dead_at, topic, partition, "offset"',
        user,
        state,
    )


async def find_outcomes(database: Database, ids: list[str]) -> set[str]:
    """Return what became of these events."""
    rows = await database.fetch("SELECT outcome FROM events WHERE event_id = ANY($1::text[])", ids)
    return {row["outcome"] for row in rows}


async def die(
    producer: AIOKafkaProducer, database: Database, user: str, *, count: int
) -> list[str]:
    """Have a user's events refused by a fault in the tables, and wait for their letters."""
    await database.execute(FAULT)
    ids = [await publish(producer, user, at=number) for number in range(count)]
    await wait_for_letters(database, user, count=count)
    return ids


async def wait_for_letters(database: Database, user: str, *, count: int) -> None:
    """Return once a user has so many letters."""
    await until(lambda: find_letters(database, user), lambda found: len(found) == count)


async def run(act: Callable[..., int], *arguments: Any, **options: Any) -> str:
    """Return what a command says; in a thread, because it has an event loop of its own."""
    said = io.StringIO()
    console = Console(file=said, soft_wrap=True)
    assert await asyncio.to_thread(act, *arguments, **options, console=console) == 0
    return said.getvalue()


async def find_record(database: Database, event_id: str) -> Any:
    """Return the record of the letter about an event."""
    row = await database.fetchrow("SELECT * FROM dead_letters WHERE event_id = $1", event_id)
    assert row
    place = Place(row["topic"], row["partition"], row["offset"])
    async with reading(read_settings(KafkaSettings)) as consumer:
        return (await fetch_letters(consumer, {place: event_id}))[place]


async def start_console(*arguments: str) -> asyncio.subprocess.Process:
    """Start a command in a process of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", *arguments), cwd=ROOT, env=dict(os.environ)
    )
