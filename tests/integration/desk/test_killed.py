"""A desk dies by SIGKILL in the middle of a replay: another one, or the console, ends it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiohttp import ClientSession, CookieJar
from aiokafka import TopicPartition

from deploy.letters.desk import reading
from deploy.letters.run import Wishes, run_resume
from deploy.stack import Process, Program
from deploy.stack.ports import LOOPBACK, free_port
from deploy.tokens import ISSUER, public_key
from schema.kafka.topics import SOURCES
from schema.ops.settings import KafkaSettings, read_settings
from tests.desk import Seat, private_key
from tests.letters import FIX, TOPIC, die, find_letters, find_outcomes, run
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]

HELD = 4711
HOLD_MARKS = f"""
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({HELD}); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE UPDATE ON dead_letters
    FOR EACH ROW WHEN (NEW.state = 'replayed') EXECUTE FUNCTION hold();
SELECT pg_advisory_lock({HELD});
"""
"""Nothing is marked as replayed until the lock is let go."""
FIND_HELD = "SELECT pid FROM pg_locks WHERE objid = $1 AND NOT granted"


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own URL
        return bool(answer.status == 200)


@asynccontextmanager
async def desk_process(
    bootstrap_servers: str, database_url: str, log: Path
) -> AsyncIterator[tuple[Process, Seat]]:
    """Run a desk in a process of its own while the context lasts, and have a seat at it."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    process = Process(
        Program(
            name="desk",
            command=[sys.executable, "-m", "deploy.desk"],
            environment={
                "PATH": os.environ["PATH"],
                "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
                "DATABASE_URL": database_url,
                "CLERK_JWT_KEY": public_key(private_key()),
                "CLERK_ISSUER": ISSUER,
                "DESK_PORT": str(port),
            },
            log=log,
            ready=lambda: _answers(f"{url}/readyz"),
        )
    )
    jar = CookieJar(unsafe=True)  # the address is an IP
    try:
        await asyncio.to_thread(process.start)
        async with ClientSession(url, cookie_jar=jar) as client:
            yield process, Seat(cast("Any", client))  # it asks as a test's own client does
    finally:
        process.kill()


async def _ends() -> dict[TopicPartition, int]:
    [topic] = [each for each in SOURCES if each.name == TOPIC]
    places = [TopicPartition(TOPIC, number) for number in range(topic.partitions)]
    async with reading(read_settings(KafkaSettings)) as consumer:
        return dict(await consumer.end_offsets(places))


async def _sent(user: str, begins: dict[TopicPartition, int]) -> Counter[str]:
    """Return svix-id -> how often a user's event was published since then."""
    sent: Counter[str] = Counter()
    ends = await _ends()
    async with reading(read_settings(KafkaSettings)) as consumer:
        consumer.assign(list(begins))
        for place, begin in begins.items():
            consumer.seek(place, begin)
        while any([await consumer.position(place) < ends[place] for place in ends]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                sent.update(
                    dict(each.headers)["ce_id"].decode()
                    for each in records
                    if each.key == user.encode()
                )
    return sent


async def _look(seat: Seat, page: str) -> str:
    """Return the state of an operation."""
    return str(json.loads((await seat.get(f"{page}/progress")).text)["state"])


async def _begin(seat: Seat, user: str, count: int, **form: str) -> str:
    """Begin a replay, and return the page of the operation."""
    said = {"user": user, "state": "open", "limit": str(count)} | form
    plan = f"/letters/plan?action=replay&user={user}"
    begun = await seat.act(plan, "/letters/replay", **said)
    assert begun.status == 303, begun.shown
    return begun.headers["Location"]


@pytest.mark.usefixtures("worker")
async def test_what_a_killed_desk_was_at_the_console_ends(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    admin: str,
    seat: Seat,
    bootstrap_servers: str,
    database_url: str,
    tmp_path: Path,
) -> None:
    """Killed between two letters: each is replayed once, by the one or by the other."""
    ids = await die(producer, database, user, count=3)
    await database.execute(FIX)
    begins = await _ends()
    async with desk_process(bootstrap_servers, database_url, tmp_path / "log") as (desk, first):
        await first.sign_in(admin)
        page = await _begin(first, user, 3, rate="0.01")
        await until(lambda: find_letters(database, user, "replayed"), lambda found: len(found) == 1)
        desk.kill()
    await until(
        lambda: _look(seat, page), lambda state: state == "broken"
    )  # PostgreSQL has noticed
    broken = await seat.get(page)
    said = await run(run_resume, Wishes())
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)

    assert "1 of 3 letters" in " ".join(broken.shown.split())
    assert f"{page}/resume" in broken.text
    assert "2 letters are replayed" in said
    assert await _look(seat, page) == "finished"
    assert await _sent(user, begins) == dict.fromkeys(ids, 1)
    assert await run(run_resume, Wishes()) == "Nothing was broken off.\n"


@pytest.mark.usefixtures("worker")
async def test_what_may_be_sent_twice_is_said_to_be(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    admin: str,
    seat: Seat,
    bootstrap_servers: str,
    database_url: str,
    tmp_path: Path,
) -> None:
    """Killed when Kafka had a letter and PostgreSQL no mark of it: the page says so before."""
    ids = await die(producer, database, user, count=1)
    await database.execute(FIX)
    await database.execute(HOLD_MARKS)
    begins = await _ends()
    await seat.sign_in(admin)
    async with desk_process(bootstrap_servers, database_url, tmp_path / "log") as (desk, first):
        await first.sign_in(admin)
        page = await _begin(first, user, 1)
        held = await until(lambda: database.fetchval(FIND_HELD, HELD), lambda pid: pid is not None)
        desk.kill()
    await database.execute("SELECT pg_terminate_backend($1)", held)  # it would end the statement
    await database.execute("SELECT pg_advisory_unlock($1)", HELD)

    await until(lambda: _look(seat, page), lambda state: state == "broken")
    broken = await seat.get(page)
    resumed = await seat.act("/audit", f"{page}/resume")
    await until(lambda: _look(seat, page), lambda state: state == "finished")
    await until(lambda: find_outcomes(database, ids), lambda outcomes: outcomes == {"applied"})

    assert "may be sent a second time" in broken.shown
    assert resumed.status == 303
    assert await _sent(user, begins) == dict.fromkeys(ids, 2)
