"""Ingest dies by SIGKILL: what it answered 202 is kept, and what is sent again counts once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from deploy.stack.ports import free_port
from tests.chaos.crowd import Crowd
from tests.chaos.stories import make_story
from tests.waiting import until

if TYPE_CHECKING:
    import random

    import asyncpg

    from tests.chaos.promises import Witness
    from tests.chaos.troupe import Arena, Troupe

    Database = asyncpg.Connection[asyncpg.Record]


async def test_killed_at_random(
    chance: random.Random, troupe: Troupe, database_url: str, witness: Witness
) -> None:
    """Killed thrice under load, ingest loses nothing, and senders come to an end."""
    story = make_story(chance, events=1200)
    crowd = Crowd(port=free_port(), pause_s=0.02)  # or all is told before it is killed
    await asyncio.to_thread(troupe.start_worker, database_url)
    ingest = await asyncio.to_thread(troupe.start_ingest, crowd.port)
    telling = asyncio.create_task(crowd.tell(story.told))
    for _ in range(3):
        more = len(crowd.accepted) + chance.randrange(50, 250)
        await until(lambda: _count(crowd), more.__lt__)
        await asyncio.to_thread(ingest.kill)
        ingest = await asyncio.to_thread(troupe.start_ingest, crowd.port)
    await telling

    await witness.check(story)


async def test_killed_between_kafka_and_the_answer(
    arena: Arena, chance: random.Random, troupe: Troupe, database_url: str, witness: Witness
) -> None:
    """Kafka has the records, the senders have no answer: they send again, it counts once."""
    story = make_story(chance, events=240)
    crowd = Crowd(port=free_port(), senders=20)
    ingest = await asyncio.to_thread(troupe.start_ingest, crowd.port)
    telling = asyncio.create_task(crowd.tell(story.told))
    await until(lambda: _count(crowd), (20).__lt__)
    arena.to_kafka.hold_answers()
    answered = len(crowd.accepted)
    await until(lambda: _held(arena), bool)
    await asyncio.to_thread(ingest.kill)
    arena.to_kafka.reset()
    arena.to_kafka.heal()
    assert len(crowd.accepted) <= answered + crowd.senders
    await asyncio.to_thread(troupe.start_ingest, crowd.port)
    await telling
    await asyncio.to_thread(troupe.start_worker, database_url)

    await witness.check(story)


async def _held(arena: Arena) -> int:
    return arena.to_kafka.held


async def _count(crowd: Crowd) -> int:
    return len(crowd.accepted)
