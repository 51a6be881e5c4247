"""What one server makes of its requests: as many as it takes, then half of them by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.paced import MOST, pace, percentiles
from tests.bench.wrk import measure_rate, write_requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.bench import Bench, Server


async def measure_server(
    bench: Bench, server: Server, requests: Sequence[bytes], *, warm_s: float = 1
) -> Mapping[str, float]:
    """Return rate, CPU time, waits at half of the rate, and memory afterwards."""
    path = write_requests(requests, bench.directory / "requests")
    found = await measure_rate(bench, server, path, warm_s=warm_s)
    latencies = await pace(
        server, requests, rate=min(found["rate"] / 2, MOST), seconds=bench.choose(4, 0.5)
    )
    return {**found, **percentiles(latencies), "memory": server.rss_mb()}
