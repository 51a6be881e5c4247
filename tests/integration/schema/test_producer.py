"""The producer, with a real Kafka."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from deploy.stack.ports import free_port
from schema.kafka.producer import BrokerUnavailableError, Producer, Record
from schema.kafka.topics import USER_EVENTS
from tests.factories import new_user_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    ReadTopic = Callable[[str], Awaitable[list[Any]]]


async def test_records_are_where_they_are_said_to_be(
    bootstrap_servers: str, read_topic: ReadTopic
) -> None:
    """Many senders at once: each hears its own record's place, and ending loses nothing."""
    producer = Producer({"bootstrap_servers": bootstrap_servers}, client_id="tests", timeout_s=10)
    records = [
        Record(topic=USER_EVENTS.name, key=new_user_id().encode(), value=b"{}", headers=[])
        for _ in range(300)
    ]
    async with producer.running():
        await producer.wait_connected()
        sending = [asyncio.create_task(producer.send(record)) for record in records]
        await asyncio.sleep(0)  # they have begun; none can have ended
    places = await asyncio.gather(*sending)
    found = {(each.partition, each.offset): each.key for each in await read_topic(USER_EVENTS.name)}

    assert [found[place.partition, place.offset] for place in places] == [r.key for r in records]


async def test_a_list_is_stored_in_its_order(bootstrap_servers: str) -> None:
    """Records of one key lie one behind the other, however many batches they fill."""
    producer = Producer({"bootstrap_servers": bootstrap_servers}, client_id="tests", timeout_s=10)
    key = new_user_id().encode()
    records = [
        Record(topic=USER_EVENTS.name, key=key, value=b"%d" % n * 20_000, headers=[])
        for n in range(20)
    ]
    async with producer.running():
        await producer.wait_connected()
        places = await producer.send_all(records)

    assert len({place.partition for place in places}) == 1
    offsets = [place.offset for place in places]
    assert offsets == list(range(offsets[0], offsets[0] + 20))


async def test_nobody_waits_for_a_kafka_that_is_not_there() -> None:
    """Without a connection a record is refused at once."""
    nowhere = {"bootstrap_servers": f"127.0.0.1:{free_port()}"}
    producer = Producer(nowhere, client_id="tests", timeout_s=1)
    async with producer.running():
        with pytest.raises(BrokerUnavailableError):
            await producer.send(Record(topic="t", key=b"k", value=b"v", headers=[]))
