"""Dead letters edited, on a real Kafka and a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import OperatorError
from deploy.letters.edit import run_edit, write_edited
from deploy.letters.run import Wishes, run_replay
from deploy.letters.select import Selection
from ingest.prepare import Delivery, prepare
from schema.kafka.headers import read_headers
from tests.factories import new_event_id, user_event
from tests.letters import (
    TOPIC,
    die,
    find_letters,
    find_outcomes,
    find_record,
    run,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]


@pytest.mark.usefixtures("desk")
async def test_a_letter_is_edited(
    producer: AIOKafkaProducer, database: Database, user: str, read_topic: ReadTopic
) -> None:
    """The copy is marked, the rest of it stays, and it is applied; the letter is dealt with."""
    (event_id,) = await die(producer, database, user, count=1)
    assignments = ['data.first_name="Ada"']
    said = await run(run_edit, event_id, assignments=assignments, yes=True)
    await until(lambda: find_outcomes(database, [event_id]), lambda found: found == {"applied"})
    _, copy = (r for r in await read_topic(TOPIC) if r.key == user.encode())
    headers = read_headers(copy.headers)
    (letter,) = await find_letters(database, user)
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
        await run(run_edit, event_id, assignments=assignments, yes=True)


@pytest.mark.usefixtures("desk")
async def test_an_edit_that_would_die_again_is_refused(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """In the words of the worker; nothing is sent and nothing is in the audit."""
    (event_id,) = await die(producer, database, user, count=1)
    with pytest.raises(OperatorError, match=r"die again: \$.data.updated_at"):
        await run(run_edit, event_id, assignments=['data.updated_at="now"'], yes=True)

    assert [row["state"] for row in await find_letters(database, user)] == ["open"]
    assert await database.fetchval("SELECT count(*) FROM operations") == 0


@pytest.mark.usefixtures("desk")
async def test_an_editor_is_opened(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the payload on many lines; what it leaves is sent."""
    (event_id,) = await die(producer, database, user, count=1)
    monkeypatch.setenv("EDITOR", "true")
    assert await run(run_edit, event_id, assignments=(), yes=True) == "Nothing is changed.\n"
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"Faulty"/"Grace"/\' "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    said = await run(run_edit, event_id, assignments=(), yes=True)
    await until(lambda: find_outcomes(database, [event_id]), lambda found: found == {"applied"})

    assert '-    "first_name": "Faulty",\n+    "first_name": "Grace",' in said


@pytest.mark.usefixtures("desk")
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
        lambda: run(run_replay, selection, Wishes(dry_run=True)), lambda said: "1 stay" in said
    )
    editing = write_edited(await find_record(database, event_id), user_event(user, at=0))

    assert (editing.topic, editing.key) == (TOPIC, user.encode())
    assert read_headers(editing.headers)["x-edited"] == "true"
    assert read_headers(editing.headers)["ce_id"] == event_id
