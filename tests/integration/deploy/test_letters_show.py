"""Dead letters of every origin: indexed, shown without personal data, replayed where allowed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import OperatorError
from deploy.letters.run import Wishes, run_replay
from deploy.letters.select import Selection
from deploy.letters.show import run_show
from schema.kafka.letters import WITHHELD
from tests.factories import new_event_id, user_event
from tests.letters import TOPIC, die, find_letters, run
from tests.waiting import until

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]

NOBODY = "ada@example.com is unknown"


def _spring(topic: str) -> list[tuple[str, bytes]]:
    return [
        ("kafka_dlt-original-topic", topic.encode()),
        ("kafka_dlt-original-partition", struct.pack(">i", 5)),
        ("kafka_dlt-original-offset", struct.pack(">q", 2**40)),
        ("kafka_dlt-exception-fqcn", b"org.example.UnknownPerson"),
        ("kafka_dlt-exception-message", NOBODY.encode()),
    ]


async def _put(
    producer: AIOKafkaProducer,
    database: Database,
    user: str,
    headers: list[tuple[str, bytes]],
    value: bytes = b"{",
) -> Any:
    """Put a letter of somebody else's into our topic, and return its row."""
    event = [("ce_id", new_event_id().encode()), ("ce_subject", user.encode())]
    await producer.send_and_wait(
        f"{TOPIC}.dlq", value, key=user.encode(), headers=[*event, *headers]
    )
    (row,) = await until(lambda: find_letters(database, user), lambda found: len(found) == 1)
    return row


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(("topic", "said"), [(TOPIC, "1 letters"), ("orders", "0 letters")])
async def test_a_foreign_letter_is_indexed(
    producer: AIOKafkaProducer, database: Database, user: str, topic: str, said: str
) -> None:
    """Without its words; it is replayed only to a topic that is consumed here."""
    row = await _put(producer, database, user, _spring(topic))
    planned = await run(run_replay, Selection(user=user), Wishes(dry_run=True))
    shown = await run(run_show, row["event_id"], unmask=False)
    in_full = await run(run_show, row["event_id"], unmask=True)

    assert (row["source_topic"], row["source_partition"], row["source_offset"]) == (
        *(topic, 5),
        2**40,
    )
    assert (row["error_class"], row["reason"]) == ("org.example.UnknownPerson", WITHHELD)
    assert planned.startswith(said)
    assert ("1 stay" in planned) == (topic == "orders")
    assert NOBODY not in shown
    assert NOBODY in in_full
    assert "1 bytes that are not JSON" in shown


@pytest.mark.usefixtures("desk")
async def test_what_is_shown_is_masked(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """By its id or its place; in full only on request, which then says what it did."""
    (event_id,) = await die(producer, database, user, count=1)
    (row,) = await find_letters(database, user)
    place = f"{row['topic']}/{row['partition']}/{row['offset']}"
    masked = await run(run_show, event_id, unmask=False)
    in_full = await run(run_show, place, unmask=True)

    assert "ce_id: " + event_id in masked
    assert f'"id": "{user}"' in masked
    assert '"first_name": "•••"' in masked
    assert "Faulty" not in masked
    assert '"first_name": "Faulty"' in in_full
    assert "The audit keeps no record of that" in in_full


@pytest.mark.usefixtures("desk")
async def test_what_is_not_there_is_said(user: str) -> None:
    """By the name that was given."""
    with pytest.raises(OperatorError, match=f"no dead letter {user}"):
        await run(run_show, user, unmask=False)
    with pytest.raises(OperatorError, match="no dead letter"):
        await run(run_show, f"{TOPIC}.dlq/0/999999999", unmask=False)


@pytest.mark.usefixtures("desk")
async def test_the_index_waits_for_its_table(
    producer: AIOKafkaProducer, database: Database, user: str
) -> None:
    """Events are applied meanwhile; no letter is left out once it is there."""
    await database.execute("ALTER TABLE dead_letters RENAME TO forgotten")
    for number in range(3):
        body = user_event(user, at=number, updated_at="yesterday")
        await producer.send_and_wait(
            TOPIC, body, key=user.encode(), headers=[("ce_subject", user.encode())]
        )
    await until(
        lambda: database.fetchval("SELECT count(*) FROM events WHERE clerk_user_id = $1", user),
        lambda count: count == 3,
    )
    await database.execute("ALTER TABLE forgotten RENAME TO dead_letters")

    await until(lambda: find_letters(database, user), lambda found: len(found) == 3)
