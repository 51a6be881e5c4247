"""Dead letters from death to replay, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from deploy.errors import OperatorError
from deploy.letters.run import Wishes, run_audit, run_purge, run_replay, run_resume
from deploy.letters.select import Selection
from deploy.topics import connected_admin
from schema.kafka.headers import read_headers
from schema.kafka.letters import REPLAY_LIMIT
from schema.kafka.producer import BrokerUnavailableError, Producer
from tests.letters import (
    FIX,
    TOPIC,
    die,
    find_letters,
    find_outcomes,
    run,
    start_console,
    wait_for_letters,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]

YES = Wishes(yes=True)


@pytest.mark.usefixtures("desk")
async def test_after_the_fix_letters_are_replayed_and_applied(
    producer: AIOKafkaProducer, database: Database, user: str, read_topic: ReadTopic
) -> None:
    """The rehearsal counts what then happens; the ledger changes from dead to applied."""
    ids = await die(producer, database, user, count=5)
    assert await find_outcomes(database, ids) == {"dead"}
    await database.execute(FIX)
    selection = Selection(user=user, reason="refused_VALUE")
    rehearsed = await run(run_replay, selection, Wishes(dry_run=True))
    assert len(await find_letters(database, user, "open")) == 5
    replayed = await run(run_replay, selection, YES)
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    copies = [r for r in await read_topic(TOPIC) if r.key == user.encode()][5:]
    headers = [read_headers(copy.headers) for copy in copies]

    assert rehearsed.startswith("5 letters to replay.")
    assert "5 letters are replayed" in replayed
    assert len(await find_letters(database, user, "replayed")) == 5
    assert [each["ce_id"] for each in headers] == ids
    assert {each["x-replay-count"] for each in headers} == {"1"}
    assert not [name for each in headers for name in each if name.startswith("x-error")]
    operation = await database.fetchrow("SELECT * FROM operations")
    assert operation
    assert (operation["action"], operation["planned"], operation["done"]) == ("replay", 5, 5)
    assert operation["finished_at"]
    assert "@" in operation["operator"]
    assert json.loads(operation["selection"])["user"] == user
    assert "replay" in await run(run_audit, limit=1, as_json=True)


@pytest.mark.usefixtures("desk")
async def test_a_carousel_ends_in_the_parking_lot(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """Without a fix the letter dies anew, with a count; parked, it is replayed only by name."""
    ids = await die(producer, database, user, count=1)
    for number in range(REPLAY_LIMIT):
        await run(run_replay, Selection(user=user), YES)
        await wait_for_letters(database, user, count=number + 2)
    states = [(row["state"], row["replays"]) for row in await find_letters(database, user)]
    nothing = await run(run_replay, Selection(user=user), YES)
    by_name = Selection(event=ids[0], states=("open", "parked"))
    named = await run(run_replay, by_name, Wishes(dry_run=True))

    assert states == [("replayed", 0), ("replayed", 1), ("replayed", 2), ("parked", REPLAY_LIMIT)]
    assert nothing == "0 letters to replay.\n"
    assert named.startswith("1 letters")


@pytest.mark.usefixtures("desk")
async def test_what_breaks_off_is_resumed(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    read_topic: ReadTopic,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is stored is marked and not sent again; what arrived meanwhile is not included."""
    ids = await die(producer, database, user, count=6)
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
            await run(run_replay, Selection(user=user), YES)
    assert len(await find_letters(database, user, "replayed")) == 3
    assert len(await find_letters(database, user, "replaying")) == 3
    nothing = await run(run_replay, Selection(user=user), YES)
    left = await run(run_resume, Wishes(dry_run=True))
    resumed = await run(run_resume, Wishes())
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    copies = [r for r in await read_topic(TOPIC) if r.key == user.encode()][6:]

    assert nothing == "0 letters to replay.\n"
    assert left.startswith("3 letters are left of the replay")
    assert "3 letters are replayed" in resumed
    assert [read_headers(copy.headers)["ce_id"] for copy in copies] == ids
    row = await database.fetchrow("SELECT planned, done, finished_at FROM operations")
    assert row
    assert (row["planned"], row["done"]) == (6, 6)
    assert row["finished_at"]
    assert await run(run_resume, Wishes()) == "Nothing was broken off.\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.usefixtures("desk")
async def test_a_replay_that_ends_early_is_resumed(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    read_topic: ReadTopic,
    number: signal.Signals,
) -> None:
    """Nothing is forgotten; what was sent and not yet marked comes twice, no more than a batch."""
    ids = await die(producer, database, user, count=12)
    await database.execute(FIX)
    rate = 4
    process = await start_console("dlq", "replay", "--user", user, "--rate", str(rate))
    await until(lambda: find_letters(database, user, "replayed"), lambda found: len(found) >= rate)
    process.send_signal(number)
    code = await process.wait()
    assert await find_letters(database, user, "replaying")
    await until(lambda: run(run_resume, Wishes()), lambda said: "are replayed" in said)
    await until(lambda: find_outcomes(database, ids), lambda outcomes: "dead" not in outcomes)
    copies = [r for r in await read_topic(TOPIC) if r.key == user.encode()][12:]
    replayed = [read_headers(copy.headers)["ce_id"] for copy in copies]

    assert code == (130 if number == signal.SIGINT else -number)
    assert len(await find_letters(database, user, "replayed")) == 12
    assert set(replayed) == set(ids)
    assert len(replayed) <= 12 + (rate if number == signal.SIGKILL else 1)


@pytest.mark.usefixtures("desk")
async def test_a_replay_that_runs_is_not_resumed(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """It is seen by its lock."""
    await die(producer, database, user, count=3)
    process = await start_console("dlq", "replay", "--user", user, "--rate", "1")
    await until(lambda: find_letters(database, user, "replaying"), lambda found: len(found) > 0)

    assert "by another process" in await run(run_resume, Wishes())
    assert await process.wait() == 0


@pytest.mark.usefixtures("desk")
async def test_letters_are_given_up(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """The rehearsal counts them, the audit names who did it, and no replay finds them again."""
    await die(producer, database, user, count=3)
    selection = Selection(user=user, limit=2)
    rehearsed = await run(run_purge, selection, Wishes(dry_run=True))
    purged = await run(run_purge, selection, YES)
    left = await run(run_replay, Selection(user=user), Wishes(dry_run=True))
    operation = await database.fetchrow("SELECT * FROM operations")

    assert (rehearsed, purged) == ("2 letters would be purged.\n", "2 letters are purged.\n")
    assert [row["state"] for row in await find_letters(database, user)] == [
        "purged",
        "purged",
        "open",
    ]
    assert left == "1 letters to replay.\n"
    assert operation
    assert (operation["action"], operation["planned"], operation["done"]) == ("purge", 2, 2)


@pytest.mark.usefixtures("desk")
async def test_letters_past_their_retention_are_marked(
    bootstrap_servers: str,
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
) -> None:
    """The plan says so beforehand, the replay deals with the others."""
    await die(producer, database, user, count=2)
    await database.execute(FIX)
    first, second = await find_letters(database, user)
    async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
        place = TopicPartition(first["topic"], first["partition"])
        await admin.delete_records({place: RecordsToDelete(before_offset=first["offset"] + 1)})
    said = await run(run_replay, Selection(user=user), YES)
    states = [row["state"] for row in await find_letters(database, user)]

    assert second["partition"] == first["partition"]
    assert said.startswith("1 letters to replay.\n1 to mark as purged")
    assert states == ["purged", "replayed"]


@pytest.mark.parametrize("change", ['"offset" = "offset" + 1000000', "event_id = 'msg_of_another'"])
@pytest.mark.usefixtures("desk")
async def test_another_kafka_is_noticed(
    producer: AIOKafkaProducer, database: Database, user: str, change: str
) -> None:
    """Before anything is sent or marked: its records are not the letters that were chosen."""
    await die(producer, database, user, count=2)
    await database.execute(f"UPDATE dead_letters SET {change} WHERE clerk_user_id = $1", user)  # noqa: S608 - our own
    with pytest.raises(OperatorError, match="Is KAFKA_BOOTSTRAP_SERVERS that of the workers"):
        await run(run_replay, Selection(user=user), YES)

    assert {row["state"] for row in await find_letters(database, user)} <= {"open", "replaying"}
