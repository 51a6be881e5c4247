"""Collect the evidence: everything that Kafka, PostgreSQL and the API hold in the end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer

from deploy.demo.observe import Observer, partitions
from deploy.tokens import mint_token
from schema.kafka.headers import read_headers
from schema.kafka.topics import CLERK_EVENTS, DEAD_LETTER_TOPICS, USER_CHANGES
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import asyncpg
    from aiokafka import ConsumerRecord

    from deploy.demo.deliver import Crash, Delivered
    from deploy.demo.plan import Plan
    from deploy.demo.values import Row, Rows, Tables
    from schema.kafka.topics import Topic

_SQL: Final = read_statements(__file__)
PAGE: Final = 50
JSON: Final = ("public_metadata", "permissions")
"""Columns that hold JSON."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A record in Kafka."""

    topic: str
    partition: int
    offset: int
    key: str
    event_id: str
    """`ce_id`."""
    value: bytes
    """Empty where it is null."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is there once everything has arrived."""

    delivered: Sequence[Delivered]
    crash: Crash
    records: Sequence[Kept]
    letters: Sequence[Kept]
    changes: Sequence[Kept]
    """What other services were told of users, each partition in its order."""
    tables: Tables
    """Every row, under the table and Clerk's id."""
    ledger: Sequence[tuple[str, str]]
    """svix-id and outcome, a pair for each row."""
    listed: Sequence[Mapping[str, Any]]
    """Every user of `GET /v1/users`, page after page, as an administrator."""
    me: Mapping[str, Any]
    """`GET /v1/me` of the reader."""
    deleted_status: int
    """The status of `GET /v1/users/{id}` for somebody deleted, as the reader."""


async def collect(
    plan: Plan,
    observer: Observer,
    *,
    delivered: Sequence[Delivered],
    crash: Crash,
) -> Evidence:
    """Read everything there is."""
    database = observer.database
    ledger = [
        (row["event_id"], row["outcome"]) for row in await database.fetch(_SQL["read_events"])
    ]
    servers = observer.system.stack.bootstrap_servers
    _, me = await _ask(observer, "/v1/me", user_id=plan.reader)
    deleted = next(webhook.user_id for webhook in plan.webhooks if webhook.deletes)
    deleted_status, _ = await _ask(observer, f"/v1/users/{deleted}", user_id=plan.reader)
    return Evidence(
        delivered=delivered,
        crash=crash,
        records=await read_topics(servers, CLERK_EVENTS),
        letters=await read_topics(servers, DEAD_LETTER_TOPICS),
        changes=await read_topics(servers, [USER_CHANGES]),
        tables=await read_tables(database),
        ledger=ledger,
        listed=await _list_users(observer, user_id=plan.admin),
        me=me,
        deleted_status=deleted_status,
    )


async def read_tables(database: asyncpg.Connection[asyncpg.Record]) -> Tables:
    """Return every row of every table but the ledger; of `user_data`, one row for each user."""
    tables = {
        table: _rows(await database.fetch(_SQL[f"read_{table}"]))
        for table in (
            *("users", "organizations", "sessions"),
            *("organization_memberships", "organization_invitations"),
        )
    }
    user_data: dict[str, Row] = {}
    for clerk_id, key, value in await database.fetch(_SQL["read_user_data"]):
        user_data.setdefault(clerk_id, {})[key] = json.loads(value)
    return tables | {"user_data": user_data}


def _rows(records: Iterable[asyncpg.Record]) -> Rows:
    rows: dict[str, Row] = {}
    for record in records:
        row = rows[record["clerk_id"]] = dict(record)
        row |= {name: json.loads(row[name]) for name in JSON if name in row}
    return rows


async def read_topics(servers: str, topics: Iterable[Topic]) -> list[Kept]:
    """Return every record of the topics, from the first to the last that is there now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        return await _read_assigned(consumer, topics)
    finally:
        await consumer.stop()


async def _read_assigned(consumer: AIOKafkaConsumer, topics: Iterable[Topic]) -> list[Kept]:
    places = partitions(topics)
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    kept: list[Kept] = []
    # A position, unlike the last record, also passes what ends a transaction.
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        fetched = await consumer.getmany(timeout_ms=200)
        kept += [_keep(record) for batch in fetched.values() for record in batch]
    return kept


def _keep(record: ConsumerRecord[Any, Any]) -> Kept:
    return Kept(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=(record.key or b"").decode(),
        event_id=read_headers(record.headers).get("ce_id", ""),
        value=record.value or b"",
    )


async def _list_users(observer: Observer, *, user_id: str) -> list[Mapping[str, Any]]:
    listed: list[Mapping[str, Any]] = []
    query = f"limit={PAGE}"
    while True:
        _, page = await _ask(observer, f"/v1/users?{query}", user_id=user_id)
        listed += page.get("data", [])
        if not page.get("next_cursor"):
            return listed
        query = f"limit={PAGE}&cursor={page['next_cursor']}"


async def _ask(observer: Observer, path: str, *, user_id: str) -> tuple[int, Mapping[str, Any]]:
    token = mint_token(observer.system.private_key, user_id=user_id, minutes=5)
    headers = {"Authorization": f"Bearer {token}"}
    async with observer.http.get(f"{observer.system.api_url}{path}", headers=headers) as response:
        return response.status, await response.json()
