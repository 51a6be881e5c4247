"""What events cost: `.venv/bin/python -m tests.bench.cost --data DIR --users 1000000`.

Signed webhooks go the whole way, everything on: ingest, Kafka, a worker, PostgreSQL, the relay,
and the API that hears of each change. Measured are CPU time by process, WAL, whole pages in it told
apart, and what Kafka and PostgreSQL keep. The run begins with a checkpoint and has no other: it has
as many whole pages as there can be.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schema.kafka.topics import USER_CHANGES, USER_EVENTS
from schema.postgres.statements import read_statements
from tests.bench.cost_meter import size_of
from tests.bench.growth_events import make_events
from tests.bench.growth_stage import Backlog, make_signer, staged
from tests.factories import SECRET, sign
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.cost_meter import Used
    from tests.bench.growth_stage import Stage

EVENTS: Final = 50_000
CONNECTIONS: Final = 64
PER: Final = 100_000
_SQL: Final = read_statements(__file__)


def make_requests(count: int, *, users: int, seed: int) -> list[bytes]:
    """Return signed webhooks as they look on the wire."""
    requests = []
    for made in make_events(count, users=users, seed=seed):
        lines = [
            "POST /webhooks/clerk HTTP/1.1",
            "host: a",
            f"content-length: {len(made.value)}",
            *(f"{k}: {v}" for k, v in sign(made.value, event_id=made.event_id).items()),
        ]
        requests.append("\r\n".join([*lines, "", ""]).encode() + made.value)
    return requests


async def post_all(port: int, requests: Sequence[bytes]) -> None:
    """Send all over several connections, each as soon as the one before is answered."""
    remaining = iter(requests)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in remaining:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 202"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))


def count_published(port: int) -> int:
    """Return how many changes a relay has put on Kafka."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    line = 'clerkwork_changes_published_total{topic="user.changes"} '
    return int(float(text.partition(line)[2].partition("\n")[0] or 0))


async def measure(data: Path, *, users: int, events: int) -> dict[str, Any]:
    """Send so many events over a database that is kept there, and return what that took."""
    async with staged(data / str(users), users, tuned=True) as stage:
        return await measure_cost(stage, events=events, seed=events)


async def measure_cost(stage: Stage, *, events: int, seed: int) -> dict[str, Any]:
    """Send so many events and return what that took."""
    requests = make_requests(events, users=stage.users, seed=seed)
    pem, _token = make_signer()
    with contextlib.ExitStack() as running:
        start = running.enter_context
        ingest, port = start(
            stage.running("ingest", "INGEST_PORT", CLERK_WEBHOOK_SIGNING_SECRET=SECRET)
        )
        worker, _ = start(stage.running("workers", "WORKER_METRICS_PORT"))
        relay, relay_port = start(stage.running("workers.relay", "RELAY_METRICS_PORT"))
        api, _ = start(stage.running("api", "API_PORT", CLERK_JWT_KEY=pem))
        processes = {"ingest": ingest, "worker": worker, "relay": relay, "API": api}
        await _settle(stage, relay_port)
        pids = {name: each.pid for name, each in processes.items()}
        return await _measure(stage, requests, pids, ports=(port, relay_port))


async def _settle(stage: Stage, relay_port: int) -> None:
    """Wait until what was told before is published, and begin with a checkpoint."""
    told = await stage.database.fetchval(_SQL["count_unpublished"])
    await until(lambda: asyncio.to_thread(count_published, relay_port), lambda found: found >= told)
    await stage.database.execute("CHECKPOINT")


async def _measure(
    stage: Stage, requests: Sequence[bytes], pids: Mapping[str, int], *, ports: tuple[int, int]
) -> dict[str, Any]:
    count = len(requests)
    backlog = Backlog(stage=stage, begins=await stage.find_ends(), count=count)
    before = await _measure_sizes(stage)
    meter = stage.meter(pids)
    reading, last = await meter.read(), await stage.database.fetchval(_SQL["find_last"])
    published = count_published(ports[1])
    await post_all(ports[0], requests)
    await backlog.reach(count)
    told = await stage.database.fetchval(_SQL["count_told"], last)
    await until(
        lambda: asyncio.to_thread(count_published, ports[1]),
        lambda found: found >= published + told,
    )
    used = await meter.used_since(reading, tell_images=True)
    after = await _measure_sizes(stage)
    grown = {name: (size - before.get(name, 0)) / count for name, size in after.items()}
    body = sum(len(request) for request in requests) / count
    return {
        "users": stage.users,
        "events": count,
        "changes": told,
        "request_bytes": body,
        **describe(used, count),
        "kept_bytes_per_event": {name: round(size, 1) for name, size in sorted(grown.items())},
    }


def describe(used: Used, count: int) -> dict[str, Any]:
    """Return seconds of a core for 100,000 events, and bytes of WAL for each."""
    return {
        "events_per_s": count / used.seconds,
        "cpu_s_per_100k": {
            name: round(each / count * PER, 2) for name, each in sorted(used.cpu_s.items())
        },
        "wal_bytes_per_event": used.wal.bytes / count,
        "wal_image_bytes_per_event": used.wal.image_bytes / count,
    }


async def _measure_sizes(stage: Stage) -> dict[str, int]:
    """Return what is kept: tables with their indexes, and the records of topics."""
    rows = await stage.database.fetch(_SQL["list_sizes"])
    sizes = {f"table {row['name']}": int(row["bytes"]) for row in rows}
    kafka = stage.stack.kafka
    assert kafka
    for topic in (USER_EVENTS, USER_CHANGES):
        sizes[f"topic {topic.name}"] = size_of(kafka.data / "records", topic=topic.name)
    return sizes


def main() -> None:
    """Measure, print and note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    found = asyncio.run(measure(options.data, users=options.users, events=options.events))
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
