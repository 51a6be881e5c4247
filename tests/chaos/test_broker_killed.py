"""Kafka dies under load: whatever was answered 202 is there, and everything goes on by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from deploy.stack.ports import free_port
from tests.chaos.crowd import Crowd
from tests.chaos.promises import count_in_ledger
from tests.chaos.stories import make_story
from tests.waiting import until

if TYPE_CHECKING:
    import random

    import asyncpg

    from tests.chaos.promises import Witness
    from tests.chaos.troupe import Arena, Troupe

    Database = asyncpg.Connection[asyncpg.Record]


@pytest.mark.parametrize("name", [None, "chaos"], ids=["dynamic", "static"])
async def test_the_broker_dies(
    name: str | None,
    arena: Arena,
    chance: random.Random,
    troupe: Troupe,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """SIGKILL to the broker under load, back after seconds: no 202 was a lie, and all goes on."""
    before, after = make_story(chance, events=1200), make_story(chance, events=600)
    crowd = Crowd(port=free_port(), pause_s=0.02)
    worker = await asyncio.to_thread(troupe.start_worker, database_url, name)
    ingest = await asyncio.to_thread(troupe.start_ingest, crowd.port)
    await crowd.tell(before.told[:60])
    await until(lambda: count_in_ledger(database, before.ids), bool)
    telling = asyncio.create_task(crowd.tell(before.told[60:]))
    await until(lambda: _accepted(crowd), (150).__lt__)
    await asyncio.to_thread(arena.kafka.kill)
    await until(lambda: _refusals(crowd), bool)
    await asyncio.sleep(chance.uniform(0, 3))
    await asyncio.to_thread(arena.kafka.start)
    await telling
    await crowd.tell(after.told)

    await witness.check(before)
    await witness.check(after)
    await until(witness.lag, (0).__eq__)
    assert [worker.poll(), ingest.poll()] == [None, None]


async def _accepted(crowd: Crowd) -> int:
    return len(crowd.accepted)


async def _refusals(crowd: Crowd) -> int:
    return crowd.refused
