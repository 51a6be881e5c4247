"""Dead letters from death to replay, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from deploy.errors import OperatorError
from deploy.letters.run import Wishes, run_audit, run_replay, run_resume
from deploy.letters.select import Selection
from deploy.stack.ports import free_port
from schema.kafka.headers import EventHeaders, read_headers, write_event_headers
from schema.kafka.letters import REPLAY_LIMIT
from schema.kafka.producer import BrokerUnavailableError, Producer
from tests.factories import new_event_id, new_user_id, user_event
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]

TOPIC = "clerk.user-events"
FAULT = "ALTER TABLE users ADD CONSTRAINT fault CHECK (first_name <> 'Faulty')"
FIX = "ALTER TABLE users DROP CONSTRAINT fault"
YES = Wishes(yes=True)


@pytest.fixture
async def worker(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A worker on this test's database; the console finds both servers too."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    async with running_worker(WorkerSettings()):
        yield


@pytest.fixture
def user() -> str:
    """A user of this test's own: every test shares the topics."""
    return new_user_id()


async def _publish(
    producer: AIOKafkaProducer, user: str, *, at: int, first_name: str = "Faulty"
) -> str:
    event_id = new_event_id()
    headers = EventHeaders(
        event_id=event_id,
        event_type="user.updated",
        source="tests",
        occurred_at=None,
        subject=user,
        request_id="tests",
    )
    body = user_event(user, at=at, first_name=first_name)
    await producer.send_and_wait(
        TOPIC, body, key=user.encode(), headers=write_event_headers(headers)
    )
    return event_id


async def _letters(database: Database, user: str, state: str | None = None) -> list[Any]:
    return await database.fetch(
        "SELECT * FROM dead_letters WHERE clerk_user_id = $1 AND ($2::text IS NULL OR state = $2)"
        ' ORDER BY dead_at, topic, partition, "offset"',
        user,
        state,
    )


async def _outcomes(database: Database, ids: list[str]) -> set[str]:
    rows = await database.fetch("SELECT outcome FROM events WHERE event_id = ANY($1::text[])", ids)
    return {row["outcome"] for row in rows}


async def _die(
    producer: AIOKafkaProducer, database: Database, user: str, *, count: int
) -> list[str]:
    """Have a user's events refused by a fault in the tables, and wait for their letters."""
    await database.execute(FAULT)
    ids = [await _publish(producer, user, at=number) for number in range(count)]
    await until(lambda: _letters(database, user), lambda found: len(found) == count)
    return ids


async def _run(act: Callable[..., int], *arguments: Any, **options: Any) -> str:
    """Return what a command says; in a thread, because it has an event loop of its own."""
    said = io.StringIO()
    console = Console(file=said, soft_wrap=True)
    assert await asyncio.to_thread(act, *arguments, **options, console=console) == 0
    return said.getvalue()


@pytest.mark.usefixtures("worker")
async def test_after_the_fix_letters_are_replayed_and_applied(
    producer: AIOKafkaProducer, database: Database, user: str, read_topic: ReadTopic
) -> None:
    """The rehearsal counts what then happens; the ledger changes from dead to applied."""
    ids = await _die(producer, database, user, count=5)
    assert await _outcomes(database, ids) == {"dead"}
    await database.execute(FIX)
    selection = Selection(user=user, reason="refused_VALUE")
    rehearsed = await _run(run_replay, selection, Wishes(dry_run=True))
    assert len(await _letters(database, user, "open")) == 5
    replayed = await _run(run_replay, selection, YES)
    await until(lambda: _outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    copies = [r for r in await read_topic(TOPIC) if r.key == user.encode()][5:]
    headers = [read_headers(copy.headers) for copy in copies]

    assert rehearsed.startswith("5 letters to replay.")
    assert "5 letters are replayed" in replayed
    assert len(await _letters(database, user, "replayed")) == 5
    assert [each["ce_id"] for each in headers] == ids
    assert {each["x-replay-count"] for each in headers} == {"1"}
    assert not [name for each in headers for name in each if name.startswith("x-error")]
    operation = await database.fetchrow("SELECT * FROM operations")
    assert operation
    assert (operation["action"], operation["planned"], operation["done"]) == ("replay", 5, 5)
    assert operation["finished_at"] and "@" in operation["operator"]
    assert json.loads(operation["selection"])["user"] == user
    assert "replay" in await _run(run_audit, limit=1, as_json=True)


@pytest.mark.usefixtures("worker")
async def test_a_carousel_ends_in_the_parking_lot(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """Without a fix the letter dies anew, with a count; parked, it is replayed only by name."""
    ids = await _die(producer, database, user, count=1)
    for number in range(REPLAY_LIMIT):
        await _run(run_replay, Selection(user=user), YES)
        await until(lambda: _letters(database, user), lambda found, n=number: len(found) == n + 2)
    states = [(row["state"], row["replays"]) for row in await _letters(database, user)]
    nothing = await _run(run_replay, Selection(user=user), YES)
    by_name = Selection(event=ids[0], states=("open", "parked"))
    named = await _run(run_replay, by_name, Wishes(dry_run=True))

    assert states == [("replayed", 0), ("replayed", 1), ("replayed", 2), ("parked", REPLAY_LIMIT)]
    assert nothing == "0 letters to replay.\n"
    assert named.startswith("1 letters")


@pytest.mark.usefixtures("worker")
async def test_what_breaks_off_is_resumed(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    read_topic: ReadTopic,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is stored is marked and not sent again; what arrived meanwhile is not included."""
    ids = await _die(producer, database, user, count=6)
    await database.execute(FIX)
    send, sent = Producer.send, list[Any]()

    async def fail_after_three(self: Producer, record: Any) -> Any:
        if len(sent) == 3:
            raise BrokerUnavailableError
        sent.append(record)
        return await send(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(Producer, "send", fail_after_three)
        with pytest.raises(OperatorError, match="--resume"):
            await _run(run_replay, Selection(user=user), YES)
    assert len(await _letters(database, user, "replayed")) == 3
    assert len(await _letters(database, user, "replaying")) == 3
    nothing = await _run(run_replay, Selection(user=user), YES)
    resumed = await _run(run_resume, Wishes())
    await until(lambda: _outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    copies = [r for r in await read_topic(TOPIC) if r.key == user.encode()][6:]

    assert nothing == "0 letters to replay.\n"
    assert "3 letters are replayed" in resumed
    assert [read_headers(copy.headers)["ce_id"] for copy in copies] == ids
    row = await database.fetchrow("SELECT planned, done, finished_at FROM operations")
    assert row
    assert (row["planned"], row["done"]) == (6, 6)
    assert row["finished_at"]
    assert await _run(run_resume, Wishes()) == "Nothing was broken off.\n"
