"""A made-up history of users, and what must be left of it, by a model of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schema.kafka.headers import EventHeaders, write_event_headers
from tests.factories import new_event_id, new_user_id, user_event

if TYPE_CHECKING:
    import random

    import asyncpg
    from aiokafka import AIOKafkaProducer


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One event of the history."""

    event_id: str
    user_id: str
    body: bytes
    poison: bool


def make_history(chance: random.Random, *, users: int, events: int) -> list[Happening]:
    """Return events of several users in disorder: renamings, a few deletions, a few poisons."""
    ids = [new_user_id() for _ in range(users)]
    history = [_happening(chance, chance.choice(ids)) for _ in range(events)]
    chance.shuffle(history)
    return history


def _happening(chance: random.Random, user_id: str) -> Happening:
    at = chance.randrange(50)  # few moments, so that versions collide
    luck = chance.random()
    if luck < 0.01:
        body = user_event(user_id, at=at, updated_at="yesterday")
    elif luck < 0.03:
        body = user_event(user_id, at=at, kind="user.deleted")
    else:
        body = user_event(user_id, at=at, first_name=f"name {chance.randrange(1000)}")
    return Happening(event_id=new_event_id(), user_id=user_id, body=body, poison=luck < 0.01)


def expected_users(history: list[Happening]) -> dict[str, tuple[str, str | None]]:
    """Return status and first name of every user, once all has been applied."""
    ends: dict[str, tuple[str, str | None]] = {}
    versions: dict[str, tuple[Any, ...]] = {}
    for happening in history:
        if happening.poison:
            continue
        event = json.loads(happening.body)
        if event["type"] == "user.deleted":
            ends[happening.user_id] = ("deleted", None)
            continue
        version = (event["data"]["updated_at"], event["timestamp"], happening.event_id)
        if ends.get(happening.user_id, ("",))[0] == "deleted":
            continue
        if version > versions.get(happening.user_id, ()):
            versions[happening.user_id] = version
            ends[happening.user_id] = ("active", event["data"]["first_name"])
    return ends


async def publish_history(
    producer: AIOKafkaProducer, history: list[Happening], *, topic: str = "clerk.user-events"
) -> None:
    """Put the history on Kafka as ingest would; every tenth event twice."""
    deliveries = [*history, *history[::10]]
    futures = []
    for happening in deliveries:
        headers = EventHeaders(
            event_id=happening.event_id,
            event_type="user.updated",
            source="chaos",
            occurred_at=None,
            subject=happening.user_id,
            request_id="chaos",
        )
        futures.append(
            await producer.send(
                topic,
                happening.body,
                key=happening.user_id.encode(),
                headers=write_event_headers(headers),
            )
        )
    for future in futures:
        await future


async def found_users(
    database: asyncpg.Connection[asyncpg.Record], history: list[Happening]
) -> dict[str, tuple[str, str | None]]:
    """Return status and first name of the history's users, as the database has them."""
    rows = await database.fetch(
        "SELECT clerk_id, status, first_name FROM users WHERE clerk_id = ANY($1::text[])",
        list({happening.user_id for happening in history}),
    )
    return {row["clerk_id"]: (row["status"], row["first_name"]) for row in rows}


async def count_in_ledger(
    database: asyncpg.Connection[asyncpg.Record], history: list[Happening]
) -> int:
    """Return how many rows the ledger has for the history's events."""
    ids = [happening.event_id for happening in history]
    return await database.fetchval(
        "SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", ids
    )


async def dead_in_ledger(
    database: asyncpg.Connection[asyncpg.Record], history: list[Happening]
) -> set[str]:
    """Return which of the history's events the ledger calls dead."""
    ids = [happening.event_id for happening in history]
    rows = await database.fetch(
        "SELECT event_id FROM events WHERE event_id = ANY($1::text[]) AND outcome = 'dead'", ids
    )
    return {row["event_id"] for row in rows}
