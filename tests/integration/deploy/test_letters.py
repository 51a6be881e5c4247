"""Dead letters from death to replay, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from rich.console import Console

from deploy.environment import ROOT
from deploy.errors import OperatorError
from deploy.letters.desk import reading
from deploy.letters.edit import run_edit, write_edited
from deploy.letters.fetch import fetch_letters
from deploy.letters.run import Wishes, run_audit, run_purge, run_replay, run_resume
from deploy.letters.select import Place, Selection
from deploy.stack.ports import free_port
from deploy.topics import connected_admin
from ingest.prepare import Delivery, prepare
from schema.kafka.headers import EventHeaders, read_headers, write_event_headers
from schema.kafka.letters import REPLAY_LIMIT
from schema.kafka.producer import BrokerUnavailableError, Producer
from schema.ops.settings import KafkaSettings, read_settings
from tests.factories import new_event_id, new_user_id, user_event
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

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
    await _wait_for_letters(database, user, count=count)
    return ids


async def _wait_for_letters(database: Database, user: str, *, count: int) -> None:
    await until(lambda: _letters(database, user), lambda found: len(found) == count)


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
    assert operation["finished_at"]
    assert "@" in operation["operator"]
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
        await _wait_for_letters(database, user, count=number + 2)
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


@pytest.mark.usefixtures("worker")
async def test_a_killed_replay_is_resumed(
    producer: AIOKafkaProducer, database: Database, user: str, read_topic: ReadTopic
) -> None:
    """Nothing is forgotten; what was sent and not yet marked comes twice, no more than a batch."""
    ids = await _die(producer, database, user, count=12)
    await database.execute(FIX)
    rate = 4
    command = (*("dlq", "replay", "--user", user), "--yes", "--rate", str(rate))
    process = await _start_console(*command)
    await until(lambda: _letters(database, user, "replayed"), lambda found: len(found) >= rate)
    process.kill()
    await process.wait()
    assert await _letters(database, user, "replaying")
    await until(lambda: _run(run_resume, Wishes()), lambda said: "are replayed" in said)
    await until(lambda: _outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    copies = [r for r in await read_topic(TOPIC) if r.key == user.encode()][12:]
    replayed = [read_headers(copy.headers)["ce_id"] for copy in copies]

    assert len(await _letters(database, user, "replayed")) == 12
    assert set(replayed) == set(ids)
    assert len(replayed) <= 12 + rate


@pytest.mark.usefixtures("worker")
async def test_a_replay_that_runs_is_not_resumed(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """It is seen by its lock."""
    await _die(producer, database, user, count=3)
    process = await _start_console("dlq", "replay", "--user", user, "--rate", "1")
    await until(lambda: _letters(database, user, "replaying"), lambda found: len(found) > 0)

    assert "by another process" in await _run(run_resume, Wishes())
    assert await process.wait() == 0


@pytest.mark.usefixtures("worker")
async def test_letters_are_given_up(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """The rehearsal counts them, the audit names who did it, and no replay finds them again."""
    await _die(producer, database, user, count=3)
    selection = Selection(user=user, limit=2)
    rehearsed = await _run(run_purge, selection, Wishes(dry_run=True))
    purged = await _run(run_purge, selection, YES)
    left = await _run(run_replay, Selection(user=user), Wishes(dry_run=True))
    operation = await database.fetchrow("SELECT * FROM operations")

    assert (rehearsed, purged) == ("2 letters would be purged.\n", "2 letters are purged.\n")
    assert [row["state"] for row in await _letters(database, user)] == ["purged", "purged", "open"]
    assert left == "1 letters to replay.\n"
    assert operation
    assert (operation["action"], operation["planned"], operation["done"]) == ("purge", 2, 2)


@pytest.mark.usefixtures("worker")
async def test_a_letter_is_edited(
    producer: AIOKafkaProducer, database: Database, user: str, read_topic: ReadTopic
) -> None:
    """The copy is marked, the rest of it stays, and it is applied; the letter is dealt with."""
    (event_id,) = await _die(producer, database, user, count=1)
    assignments = ['data.first_name="Ada"']
    said = await _run(run_edit, event_id, assignments=assignments, yes=True)
    await until(lambda: _outcomes(database, [event_id]), lambda found: found == {"applied"})
    _, copy = (r for r in await read_topic(TOPIC) if r.key == user.encode())
    headers = read_headers(copy.headers)
    (letter,) = await _letters(database, user)
    name = await database.fetchval("SELECT first_name FROM users WHERE clerk_id = $1", user)

    assert '+    "first_name": "Ada",' in said
    assert "email_address" not in said
    assert (headers["x-edited"], headers["x-replay-count"], name) == ("true", "1", "Ada")
    assert letter["state"] == "replayed"
    operation = await database.fetchrow("SELECT * FROM operations")
    assert operation
    assert (operation["action"], operation["done"]) == ("edit", 1)
    assert "Ada" not in operation["selection"]
    with pytest.raises(OperatorError, match="replayed already"):
        await _run(run_edit, event_id, assignments=assignments, yes=True)


@pytest.mark.usefixtures("worker")
async def test_an_edit_that_would_die_again_is_refused(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """In the words of the worker; nothing is sent and nothing is in the audit."""
    (event_id,) = await _die(producer, database, user, count=1)
    with pytest.raises(OperatorError, match=r"die again: \$.data.updated_at"):
        await _run(run_edit, event_id, assignments=['data.updated_at="now"'], yes=True)

    assert [row["state"] for row in await _letters(database, user)] == ["open"]
    assert await database.fetchval("SELECT count(*) FROM operations") == 0


@pytest.mark.usefixtures("worker")
async def test_an_editor_is_opened(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the payload on many lines; what it leaves is sent."""
    (event_id,) = await _die(producer, database, user, count=1)
    monkeypatch.setenv("EDITOR", "true")
    assert await _run(run_edit, event_id, assignments=(), yes=True) == "Nothing is changed.\n"
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"Faulty"/"Grace"/\' "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    said = await _run(run_edit, event_id, assignments=(), yes=True)
    await until(lambda: _outcomes(database, [event_id]), lambda found: found == {"applied"})

    assert '-    "first_name": "Faulty",\n+    "first_name": "Grace",' in said


@pytest.mark.usefixtures("worker")
async def test_what_ingest_could_not_read_is_edited_into_its_topic(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """It has no origin: no replay takes it, an edit sends it where ingest would have put it."""
    prepared = prepare(
        Delivery(body=b"{", event_id=new_event_id(), request_id="r"), instance_id=None
    ).record
    await producer.send_and_wait(
        prepared.topic, prepared.value, key=prepared.key, headers=prepared.headers
    )
    event_id = (prepared.key or b"").decode()
    selection = Selection(event=event_id, states=("open", "parked"))
    await until(
        lambda: _run(run_replay, selection, Wishes(dry_run=True)), lambda said: "1 stay" in said
    )
    editing = write_edited(await _record(database, event_id), user_event(user, at=0))

    assert (editing.topic, editing.key) == (TOPIC, user.encode())
    assert read_headers(editing.headers)["x-edited"] == "true"
    assert read_headers(editing.headers)["ce_id"] == event_id


@pytest.mark.usefixtures("worker")
async def test_letters_past_their_retention_are_marked(
    bootstrap_servers: str,
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
) -> None:
    """The plan says so beforehand, the replay deals with the others."""
    await _die(producer, database, user, count=2)
    await database.execute(FIX)
    first, second = await _letters(database, user)
    async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
        place = TopicPartition(first["topic"], first["partition"])
        await admin.delete_records({place: RecordsToDelete(before_offset=first["offset"] + 1)})
    said = await _run(run_replay, Selection(user=user), YES)
    states = [row["state"] for row in await _letters(database, user)]

    assert second["partition"] == first["partition"]
    assert said.startswith("1 letters to replay.\n1 to mark as purged")
    assert states == ["purged", "replayed"]


async def _record(database: Database, event_id: str) -> Any:
    row = await database.fetchrow("SELECT * FROM dead_letters WHERE event_id = $1", event_id)
    assert row
    place = Place(row["topic"], row["partition"], row["offset"])
    async with reading(read_settings(KafkaSettings)) as consumer:
        return (await fetch_letters(consumer, [place]))[place]


async def _start_console(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", *arguments), cwd=ROOT, env=dict(os.environ)
    )
