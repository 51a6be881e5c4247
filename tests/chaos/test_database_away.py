"""PostgreSQL goes away under load: the worker waits, loses nothing, dead-letters nothing."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.chaos.promises import count_in_ledger
from tests.chaos.stories import make_story, publish
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from tests.chaos.promises import Witness
    from tests.chaos.troupe import Arena

    StartWorker = Callable[..., Process]
    Database = asyncpg.Connection[asyncpg.Record]

AWAY_S = float(os.environ.get("CHAOS_AWAY_S", "10"))


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_an_outage_is_waited_out(
    how: str,
    arena: Arena,
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """Away in the middle of a stream: the worker idles, and applies every event afterwards."""
    story = make_story(chance, events=1200)
    half = len(story.told) // 2
    worker = await asyncio.to_thread(start_worker, database_url)
    await publish(producer, story.told[:half])
    await until(lambda: count_in_ledger(database, story.ids), bool)
    await asyncio.to_thread(getattr(arena.postgres, how))
    await publish(producer, story.told[half:])
    lines, seconds = _log_lines(worker), _cpu_seconds(worker)
    await asyncio.sleep(AWAY_S)
    lines, seconds = _log_lines(worker) - lines, _cpu_seconds(worker) - seconds
    await asyncio.to_thread(arena.postgres.start)

    # It waits, it does not spin: at most a few tries and lines a second, a small part of a core.
    assert worker.poll() is None
    assert lines < 5 * AWAY_S + 20
    assert seconds < 0.3 * AWAY_S
    await witness.check(story)


def _log_lines(worker: Process) -> int:
    return worker.log_tail(100_000).count("\n")


def _cpu_seconds(worker: Process) -> float:
    times = psutil.Process(worker.pid).cpu_times()
    return times.user + times.system
