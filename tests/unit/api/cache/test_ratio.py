"""How often the cache has what is asked for."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tests.zipf import zipf_numbers

if TYPE_CHECKING:
    from tests.unit.api.cache.conftest import MakeDesk

IDS = 20_000
HOLDS = IDS // 4
READS = 80_000
READS_PER_CHANGE = 200


async def test_most_reads_are_hits(make_desk: MakeDesk) -> None:
    """Over 95 % where a quarter of the ids has room and their frequencies fall as n^-1.3."""
    desk = make_desk(max_bytes=HOLDS * (1024 + 400))
    hits = 0
    numbers = enumerate(islice(zipf_numbers(IDS, s=1.3, seed=1), READS))
    for number, user in numbers:
        found = await desk.read(str(user), body=b"x" * 400, tags=(f"user:{user}",))
        hits += found.outcome == "hit" and number >= READS // 2
        if number % READS_PER_CHANGE == 0:
            desk.cache.drop((f"user:{user}", "users"))

    assert hits / (READS // 2) > 0.95
    assert desk.value("entries") <= HOLDS
