"""Search everywhere for texts: every column, record, log line, metric and span."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import aiohttp
from aiokafka import AIOKafkaConsumer

from deploy.erase.read import find_spans, read_records
from deploy.topics import connected_admin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import asyncpg

    from tests.collector import Collector

    Database = asyncpg.Connection[asyncpg.Record]

_TABLES = """
    SELECT format('%I.%I', schemaname, relname) AS name, relname AS table
    FROM pg_stat_all_tables
    WHERE schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema'
"""

Found = dict[str, set[str]]
"""Where -> which texts are there."""


class Search:
    """Texts that are looked for, in whatever case, and where they were."""

    def __init__(self, *texts: str) -> None:
        self.texts = [text.lower() for text in texts]
        self.found: Found = defaultdict(set)

    def look(self, where: str, what: Any) -> None:
        """Look at a value."""
        text = what.decode(errors="replace") if isinstance(what, bytes) else str(what)
        self.found[where].update(each for each in self.texts if each in text.lower())

    @property
    def places(self) -> set[str]:
        """Where something was found."""
        return {where for where, texts in self.found.items() if texts}


async def search_tables(search: Search, database: Database) -> None:
    """Look at every value of every table, partitions and all, and at what the planner knows."""
    for table in await database.fetch(_TABLES):
        rows = await database.fetch(f"SELECT to_jsonb(t)::text FROM {table['name']} AS t")  # noqa: S608 - our own names
        for (row,) in rows:
            for column, value in json.loads(row).items():
                search.look(f"{_whole(table['table'])}.{column}", value)
    for (row,) in await database.fetch("SELECT t::text FROM pg_stats AS t"):
        search.look("pg_stats", row)


def _whole(table: str) -> str:
    return "events" if table.startswith("events_") else table


async def search_topics(search: Search, bootstrap_servers: str) -> None:
    """Look at key, value and headers of every record of every topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
            names = [name for name in await admin.list_topics() if not name.startswith("__")]
            spans = await find_spans(admin, consumer, names)
        async for records in read_records(consumer, spans):
            for record in records:
                search.look(f"{record.topic} key", record.key or b"")
                search.look(f"{record.topic} value", record.value or b"")
                for name, value in record.headers:
                    search.look(f"{record.topic} {name}", value or b"")
    finally:
        await consumer.stop()


def search_logs(search: Search, folder: Path) -> None:
    """Look at what every process has written."""
    for path in folder.iterdir():
        search.look(path.name, path.read_bytes())


async def search_metrics(search: Search, urls: Mapping[str, str]) -> None:
    """Look at every page of metrics."""
    async with aiohttp.ClientSession() as http:
        for name, url in urls.items():
            async with http.get(f"{url}/metrics") as answer:
                assert answer.status == 200
                search.look(f"metrics of {name}", await answer.read())


def search_spans(search: Search, collector: Collector) -> None:
    """Look at what was exported."""
    for body in collector.bodies:
        search.look("spans", body)


def without(places: Iterable[str], *allowed: str) -> set[str]:
    """Return the places that do not begin with one of these."""
    return {place for place in places if not place.startswith(allowed)}
