"""Commands between a real Kafka and a real PostgreSQL: applied, refused, or put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploy.stack.ports import free_port
from schema.kafka.headers import read_headers
from schema.kafka.topics import USER_COMMANDS, dead_letter_topic
from tests.commands import change_post, command_record, create_post, new_post_id, raw_command
from tests.factories import new_user_id, user_event
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]


@pytest.fixture
async def _worker(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    async with running_worker(WorkerSettings()):
        yield


@pytest.mark.usefixtures("_worker")
async def test_commands_are_consumed(
    producer: AIOKafkaProducer, database: Database, read_topic: ReadTopic
) -> None:
    """Good ones become rows, foreign ones are refused, bad ones and events are dead letters."""
    author, other = new_user_id(), new_user_id()
    post = new_post_id(author)
    records = [
        command_record(create_post(author, post, "Hello"), command_id=f"cmd_1{author}"),
        command_record(change_post(other, post, title="Theirs"), command_id=f"cmd_2{author}"),
        command_record(create_post(author, post, ""), command_id=f"cmd_3{author}"),
        raw_command(
            user_event(author, at=0), asker=author, kind="user.updated", command_id=f"cmd_4{author}"
        ),
    ]
    for each in records:
        await producer.send_and_wait(
            each.topic, each.value, key=each.key, headers=list(each.headers)
        )

    async def outcomes() -> list[Any]:
        rows = await database.fetch(
            "SELECT outcome, reason FROM events WHERE event_id LIKE $1 ORDER BY event_id",
            f"cmd_%{author}",
        )
        return [tuple(row) for row in rows]

    found = await until(outcomes, lambda rows: len(rows) == len(records))
    letters = [
        read_headers(letter.headers)["ce_id"]
        for letter in await read_topic(dead_letter_topic(USER_COMMANDS).name)
        if letter.key == author.encode()
    ]
    row = await database.fetchrow("SELECT id, title FROM posts WHERE id = $1", post)

    assert found == [
        ("applied", None),
        ("refused", "$.data.id: the post is somebody else's"),
        ("dead", "$.data.title: Expected `str` of length >= 1"),
        ("dead", "$.type: no command, on their topic"),
    ]
    assert sorted(letters) == [f"cmd_3{author}", f"cmd_4{author}"]
    assert row is not None
    assert tuple(row) == (post, "Hello")
