"""Poison anywhere in a batch is found, parked once, and stops nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.chaos.stories import make_refused, make_story, publish, refuse_a_name

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from tests.chaos.promises import Witness
    from tests.chaos.stories import Story

    StartWorker = Callable[..., Process]
    Database = asyncpg.Connection[asyncpg.Record]

BATCH = 100
PLACES = {
    "first": (0,),
    "middle": (50,),
    "last": (99,),
    "three at once": (30, 31, 32),
    "both ends": (0, 99),
}


@pytest.mark.parametrize("places", PLACES.values(), ids=PLACES)
async def test_poison_is_found_wherever_it_is(
    places: tuple[int, ...],
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """The others of the batch are applied; the dead-letter topic has the poison, and no more."""
    story = _plant(make_story(chance, events=240), places)
    await refuse_a_name(database)
    # All in one partition before anybody reads: the batches are what they are planned to be.
    await publish(producer, story.told, partition=0)
    await asyncio.to_thread(start_worker, database_url)

    await witness.check(story)


def _plant(story: Story, places: tuple[int, ...]) -> Story:
    """Return the story with poison at these places of the first two batches."""
    told = list(story.told)
    tag = story.told[0].event_id.removeprefix("msg_")
    planted = set()
    for place in sorted(place + start for place in places for start in (0, BATCH)):
        poison = make_refused(f"{tag}p{place}")
        told.insert(place, poison)
        planted.add(poison.event_id)
    return replace(story, told=told, planted=frozenset(planted))
