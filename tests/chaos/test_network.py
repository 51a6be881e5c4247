"""The network delays, holds, cuts and resets: things are slow, and nothing is lost or wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from deploy.stack.ports import free_port
from tests.chaos.crowd import Crowd
from tests.chaos.stories import make_story
from tests.waiting import until

if TYPE_CHECKING:
    import random

    from tests.chaos.promises import Witness
    from tests.chaos.proxy import Proxy
    from tests.chaos.troupe import Arena, Troupe


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_a_bad_network(
    server: str,
    arena: Arena,
    chance: random.Random,
    troupe: Troupe,
    proxied_url: str,
    witness: Witness,
) -> None:
    """A dozen troubles on the way to one server under load, then none: all arrives, once."""
    story = make_story(chance, events=1200)
    crowd = Crowd(port=free_port(), pause_s=0.02)
    worker = await asyncio.to_thread(troupe.start_worker, proxied_url)
    await asyncio.to_thread(troupe.start_ingest, crowd.port)
    telling = asyncio.create_task(crowd.tell(story.told))
    proxy = {"kafka": arena.to_kafka, "postgres": arena.to_postgres}[server]
    for _ in range(12):
        await trouble(proxy, chance)
    await telling

    await witness.check(story)
    await until(witness.lag, (0).__eq__)
    assert worker.poll() is None


async def trouble(proxy: Proxy, chance: random.Random) -> None:
    """Have one trouble for a moment, and a good network after it."""
    kind = chance.choice(["delay", "hold", "answers", "cut", "reset", "refuse"])
    if kind == "delay":
        proxy.delay_s = chance.uniform(0.02, 0.2)
    else:
        {
            "hold": proxy.hold,
            "answers": proxy.hold_answers,
            "cut": proxy.cut,
            "reset": proxy.reset,
            "refuse": proxy.refuse,
        }[kind]()
    await asyncio.sleep(chance.uniform(0.1, 0.6))
    if kind in {"hold", "answers"} and chance.random() < 0.5:
        proxy.reset()  # what was held is gone for good
    proxy.heal()
    await asyncio.sleep(chance.uniform(0, 0.3))
