"""`python -m tests.chaos.long --minutes 30 [--seed N]`: faults at random against a running system.

Webhooks stream through ingest, Kafka and two workers into PostgreSQL; a fault, a pause, and the
promises are checked for every event told so far in that round; then the next. At the end a table.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from deploy.migrate import migrate
from deploy.stack.ports import free_port
from deploy.topics import apply_topics, connected_admin
from tests.chaos.crowd import Crowd
from tests.chaos.faults import FAULTS, System
from tests.chaos.promises import Verdict, Witness
from tests.chaos.stories import make_story, refuse_a_name
from tests.chaos.troupe import Arena, Troupe, open_arena

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS = 600
PLANTED = 4


@dataclass(kw_only=True)
class Tally:
    """What a fault has done so far."""

    times: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    seconds: list[float] = field(default_factory=list)
    """From the end of the fault until every event told was in the ledger, each time."""

    def add(self, verdict: Verdict, seconds: float) -> None:
        """Count one more try."""
        self.times += 1
        self.lost += len(verdict.lost)
        self.duplicated += len(verdict.duplicated)
        self.wrong += len(verdict.wrong)
        self.seconds.append(seconds)


async def run(*, minutes: float, seed: int) -> Mapping[str, Tally]:
    """Return a tally of each fault tried in so many minutes."""
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    tallies = {name: Tally() for name in FAULTS}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with open_arena(Path(folder)) as arena:
            troupe = Troupe(logs=Path(folder), kafka=arena.kafka.bootstrap_servers)
            try:
                system = await _open(arena, troupe, chance)
                end = time.monotonic() + minutes * 60
                while time.monotonic() < end:
                    await _try_next(system, tallies)
            finally:
                await asyncio.to_thread(troupe.kill)
    return tallies


async def _open(arena: Arena, troupe: Troupe, chance: random.Random) -> System:
    await migrate(arena.postgres.url)
    async with connected_admin({"bootstrap_servers": arena.kafka.bootstrap_servers}) as admin:
        await apply_topics(admin)
    database = await asyncpg.connect(arena.postgres.url)
    await refuse_a_name(database)
    await database.close()
    system = System(arena=arena, troupe=troupe, chance=chance, port=free_port())
    await system.start()
    return system


async def _try_next(system: System, tallies: Mapping[str, Tally]) -> None:
    """Have the fault that was tried least, or chance's choice of those."""
    least = min(tally.times for tally in tallies.values())
    name = system.chance.choice([each for each in tallies if tallies[each].times == least])
    arena = system.arena
    story = make_story(system.chance, events=EVENTS, planted=PLANTED)
    crowd = Crowd(port=system.port, pause_s=0.05)
    telling = asyncio.create_task(crowd.tell(story.told))
    await asyncio.sleep(1)
    await FAULTS[name](system)
    await asyncio.to_thread(arena.heal)
    await asyncio.to_thread(system.revive)
    healed = time.monotonic()
    await telling
    witness = Witness(
        database_url=arena.postgres.url, bootstrap_servers=arena.kafka.bootstrap_servers
    )
    try:
        await witness.settle(story, within_s=180)
    except AssertionError as error:
        _say(f"{name}: not settled: {error}")
    seconds = time.monotonic() - healed
    verdict = await witness.judge(story)
    tallies[name].add(verdict, seconds)
    _say(f"{name}: {'kept' if verdict.clean else verdict} in {seconds:.1f} s")


def table(tallies: Mapping[str, Tally]) -> str:
    """Return fault -> times tried -> lost / duplicated / wrong / seconds to recover."""
    head = ("fault", "tried", "lost", "duplicated", "wrong", "s to recover (median, worst)")
    rows = [head, *((name, *_cells(tally)) for name, tally in tallies.items() if tally.times)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join([lines[0], " | ".join("-" * width for width in widths), *lines[1:]])


def _cells(tally: Tally) -> tuple[str, ...]:
    recovery = f"{statistics.median(tally.seconds):.1f}, {max(tally.seconds):.1f}"
    counts = (tally.times, tally.lost, tally.duplicated, tally.wrong)
    return (*map(str, counts), recovery)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run, print the table, and fail when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    _say(f"--seed {options.seed}")
    tallies = asyncio.run(run(minutes=options.minutes, seed=options.seed))
    _say(table(tallies))
    return int(any(each.lost or each.duplicated or each.wrong for each in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
