"""A service that reads user.changes from the beginning ends with exactly the table of users."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from schema.kafka.changes import UserState
from tests.changes import Seen, fold, out_of_order, read_changes
from tests.integration.workers.order.deliveries import schedule
from tests.integration.workers.order.histories import as_event, make_history
from tests.waiting import until
from workers.apply import Policy, apply

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

    from tests.chaos.troupe import Arena, Troupe
    from workers.decode import Event

    Database = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

WORLDS: Final = 80
WORKERS: Final = 3
KILLS: Final = 8


async def test_a_fold_of_the_topic_is_the_table(
    arena: Arena,
    chance: random.Random,
    troupe: Troupe,
    database: Database,
    database_url: str,
    bootstrap_servers: str,
) -> None:
    """After any histories, by several workers, with relays killed again and again, Kafka once."""
    tag = f"{chance.getrandbits(64):x}"
    batches = _make_batches(chance, tag)
    policy = Policy(erase_after=chance.choice([timedelta(0), timedelta(days=30)]))
    async with asyncpg.create_pool(database_url, min_size=0, max_size=WORKERS) as pool:
        working = asyncio.gather(*(_work(pool, chance, batches, policy) for _ in range(WORKERS)))
        for number in range(KILLS):
            relay = await asyncio.to_thread(troupe.start_relay, database_url)
            await asyncio.sleep(chance.uniform(0, 1.0))
            await asyncio.to_thread(relay.kill)
            if number == KILLS // 2:
                await asyncio.to_thread(arena.kafka.kill)
                await asyncio.to_thread(arena.kafka.start)
        await working
    await asyncio.to_thread(troupe.start_relay, database_url)
    last = await database.fetchval("SELECT max(position) FROM outbox")
    await until(lambda: _published_up_to(database), last.__le__)
    told = await _positions(database)
    seen = await until(
        lambda: _read(bootstrap_servers, tag),
        lambda seen: told <= {each.position for each in seen},
    )

    assert len(seen) > WORLDS
    assert out_of_order(seen) == []
    assert [each for each in seen if each.value and each.state["sequence"] != each.position] == []
    assert _known(seen) == await _table(database)


def _make_batches(chance: random.Random, tag: str) -> Iterator[Sequence[Event]]:
    """Return what to apply: events of many small worlds in disorder, some of them twice."""
    histories = [make_history(chance, f"{tag}w{n}", length=12) for n in range(WORLDS)]
    events = [as_event(told) for history in histories for told in history]
    return iter(schedule(chance, events, largest=24))


async def _work(
    pool: Pool, chance: random.Random, batches: Iterator[Sequence[Event]], policy: Policy
) -> None:
    """Apply one batch after the other, which others take from, too."""
    for batch in batches:
        await apply(pool, batch, policy=policy)
        await asyncio.sleep(chance.uniform(0, 0.4))


async def _published_up_to(database: Database) -> int:
    return await database.fetchval("SELECT coalesce(max(position), 0) FROM relay_progress")


async def _read(bootstrap_servers: str, tag: str) -> list[Seen]:
    return [each for each in await read_changes(bootstrap_servers) if tag in each.key]


async def _positions(database: Database) -> set[int]:
    """Return the positions in the outbox: all that were told but states of those erased since."""
    return {row["position"] for row in await database.fetch("SELECT position FROM outbox")}


def _known(seen: Iterable[Seen]) -> dict[str, dict[str, Any]]:
    """Return what a service knows in the end, as the contract has it."""
    return {
        key: UserState.model_validate(state).model_dump(exclude={"sequence", "schema_version"})
        for key, state in fold(seen).items()
    }


async def _table(database: Database) -> dict[str, dict[str, Any]]:
    """Return what it should know: everybody who is there, as their row has them."""
    rows = await database.fetch(
        "SELECT * FROM users WHERE status NOT IN ('pending', 'deleted') AND deleted_at IS NULL"
    )
    fields = UserState.model_fields.keys() - {"sequence", "schema_version"}
    return {
        row["clerk_id"]: {name: row[name] for name in fields}
        | {"public_metadata": json.loads(row["public_metadata"])}
        for row in rows
    }
