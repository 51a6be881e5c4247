"""What events cost on their whole way: CPU time by process, WAL, and what is kept of them."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from deploy.tokens import new_private_key, public_key
from schema.kafka.topics import USER_CHANGES, USER_EVENTS
from schema.postgres.statements import read_statements
from tests.bench.events import make_events
from tests.bench.figure import OURS, Experiment, Figure
from tests.bench.paced import WARM_S, pace
from tests.bench.stage import Backlog, over
from tests.bench.wal import find_place, read_wal
from tests.bench.wrk import make_request
from tests.factories import SECRET, sign
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schema.kafka.topics import Topic
    from tests.bench.bench import Bench, Server
    from tests.bench.stage import Stage

WHO: Final[Mapping[str, str]] = {
    "ingest": "ingest",
    "worker": "the worker",
    "relay": "the relay",
    "api": "one API process, hearing of each change",
    "kafka": "Kafka",
    "postgresql": "PostgreSQL, all its processes",
}
"""Figure -> whose CPU time it is."""
PER: Final = 100_000
_SQL: Final = read_statements(__file__)


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Send signed webhooks, and wait until the last of their changes is published."""
    users, events = bench.choose((100_000, 10_000), (500, 500))
    requests = make_requests(events, users=users, seed=int.from_bytes(os.urandom(4)))
    async with over(bench, users) as stage, AsyncExitStack() as running:
        start = partial(bench.serving, DATABASE_URL=stage.url)
        enter = running.enter_async_context
        servers = {
            "ingest": await enter(start("ingest", CLERK_WEBHOOK_SIGNING_SECRET=SECRET)),
            "worker": await enter(start("workers")),
            "relay": await enter(start("workers.relay")),
            "api": await enter(start("api", CLERK_JWT_KEY=public_key(new_private_key()))),
        }
        await _settle(stage)
        await stage.database.execute("CHECKPOINT")
        return {OURS: await _send_all(stage, requests, servers)}


def make_requests(count: int, *, users: int, seed: int) -> Sequence[bytes]:
    """Return signed webhooks of users by chance."""
    return [
        make_request(
            "POST", "/webhooks/clerk", sign(made.value, event_id=made.event_id), made.value
        )
        for made in make_events(count, users=users, seed=seed)
    ]


async def _settle(stage: Stage) -> None:
    """Wait until all that was told is published."""
    await until(partial(stage.database.fetchval, _SQL["count_pending"]), lambda found: found == 0)


async def _send_all(
    stage: Stage, requests: Sequence[bytes], servers: Mapping[str, Server]
) -> Mapping[str, float]:
    count, database = len(requests), stage.database
    backlog = Backlog(stage=stage, begins=await stage.find_ends(), count=count)
    changes = -await database.fetchval(_SQL["count_changes"])
    kept = {topic: -_kept_bytes(stage, topic) for topic in (USER_EVENTS, USER_CHANGES)}
    spent, place = _read_cpu(stage.bench, servers), await find_place(database)
    # As fast as ingest takes them: all are due at once.
    await pace(servers["ingest"], requests, rate=count / WARM_S, seconds=0)
    await backlog.reach(count)
    await _settle(stage)
    used = {who: now - spent[who] for who, now in _read_cpu(stage.bench, servers).items()}
    wal = await read_wal(stage.bench.stack, database, place)
    changes += await database.fetchval(_SQL["count_changes"])
    kept = {topic: before + _kept_bytes(stage, topic) for topic, before in kept.items()}
    return {
        **{who: each / count * PER for who, each in used.items()},
        "cpu": sum(used.values()) / count * PER,
        "wal": (wal.bytes - wal.image_bytes) / count,
        "pages": wal.image_bytes / count,
        "request": sum(map(len, requests)) / count,
        "record": kept[USER_EVENTS] / count,
        "changes": changes / count,
        "change": kept[USER_CHANGES] / max(1, changes),
    }


def _read_cpu(bench: Bench, servers: Mapping[str, Server]) -> Mapping[str, float]:
    return {
        **{who: server.cpu_s() for who, server in servers.items()},
        "kafka": bench.kafka_cpu_s(),
        "postgresql": bench.postgres_cpu_s(),
    }


def _kept_bytes(stage: Stage, topic: Topic) -> int:
    """Return how many bytes of records Kafka keeps of a topic."""
    kafka = stage.bench.stack.kafka
    assert kafka
    files = (kafka.data / "records").glob(f"{topic.name}-[0-9]*/*.log")
    return sum(file.stat().st_size for file in files)


EXPERIMENT: Final = Experiment(
    name="cost",
    says="Signed webhooks of 100,000 users by chance, all the way to the relay and the API; soon"
    " after a checkpoint.",
    contestants={OURS: "everything on"},
    figures=(
        Figure(name="cpu", says="CPU time of all for 100,000 events", unit="s", better="less"),
        *(
            Figure(name=name, says=f"CPU time of {who} for them", unit="s", better="less")
            for name, who in WHO.items()
        ),
        Figure(name="wal", says="WAL of each event, without whole pages", unit="B", better="less"),
        Figure(name="pages", says="whole pages in its WAL", unit="B", better="less"),
        Figure(name="request", says="a webhook on the wire", unit="B", better="less"),
        Figure(name="record", says="what Kafka keeps of it", unit="B", better="less"),
        Figure(name="changes", says="changes that an event brings", unit="", better="less"),
        Figure(name="change", says="what Kafka keeps of a change", unit="B", better="less"),
    ),
    measure=measure,
    runs=2,
)
