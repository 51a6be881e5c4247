"""Transactions of a real Kafka: who is fenced, what is given up, and where the next one goes on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import ProducerFenced

from tests.changes import new_keys, read_changes
from tests.waiting import until
from workers.relay.fetch import Change
from workers.relay.publish import publishing
from workers.relay.resume import FIRST_STEP, find_published

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.relay.publish import Publisher


@pytest.fixture
def kafka(bootstrap_servers: str) -> Mapping[str, Any]:
    """How clients connect."""
    return {"bootstrap_servers": bootstrap_servers}


def _make_changes(count: int, keys: int = 40) -> list[Change]:
    start = time.time_ns() // 1000
    owners = new_keys(keys)
    return [
        Change(start + n, "user.changes", owners[n % keys], "clerkwork.user.updated", "{}")
        for n in range(count)
    ]


async def _give_up(publisher: Publisher, changes: list[Change]) -> None:
    """Send what is never committed, and what Kafka is sure to have."""
    await publisher._producer.begin_transaction()
    await publisher._send(changes)


async def test_the_next_one_fences(kafka: Mapping[str, Any], bootstrap_servers: str) -> None:
    """From its start on the former one can begin nothing, and end nothing that it had begun."""
    lost, good = _make_changes(60), _make_changes(60)
    # To partitions that are in its transaction: what is refused is the record, not the beginning.
    late = [each._replace(position=each.position + 1_000_000) for each in lost]
    async with publishing(kafka) as zombie:
        await zombie.publish(_make_changes(3), sent=asyncio.Event())
        await _give_up(zombie, lost)
        async with publishing(kafka) as publisher:
            with pytest.raises(ProducerFenced):
                await zombie._send(late)
            with pytest.raises(ProducerFenced):
                await zombie._producer.commit_transaction()
            await publisher.publish(good, sent=asyncio.Event())
        everything = [each.position for each in [*lost, *late, *good]]
        seen = await until(
            lambda: read_changes(bootstrap_servers, everything), lambda seen: len(seen) >= len(good)
        )

    assert sorted(each.position for each in seen) == [each.position for each in good]


async def test_one_that_rests_is_fenced_too(
    kafka: Mapping[str, Any], bootstrap_servers: str
) -> None:
    """Between two batches nothing is open; the next batch is refused, and says why."""
    late = _make_changes(5)
    async with publishing(kafka) as zombie:
        await zombie.publish(_make_changes(3), sent=asyncio.Event())
        async with publishing(kafka):
            with pytest.raises(ProducerFenced):
                await zombie.publish(late, sent=asyncio.Event())

    assert await read_changes(bootstrap_servers, [each.position for each in late]) == []


async def test_the_end_is_found_behind_what_was_given_up(kafka: Mapping[str, Any]) -> None:
    """However much of that there is, and however many markers, on every partition."""
    published = _make_changes(50)
    async with publishing(kafka) as publisher:
        await publisher.publish(published, sent=asyncio.Event())
    for _ in range(2):
        async with publishing(kafka) as publisher:
            await _give_up(publisher, _make_changes(FIRST_STEP * 40, keys=200))
    async with publishing(kafka) as publisher:
        assert await find_published(kafka, publisher) == published[-1].position


async def test_order_is_that_of_the_outbox(
    kafka: Mapping[str, Any], bootstrap_servers: str
) -> None:
    """On every partition, also where a batch is more than goes there at once."""
    text = f'"{"x" * 20_000}"'
    changes = [each._replace(state=text) for each in _make_changes(300, keys=3)]
    async with publishing(kafka) as publisher:
        await publisher.publish(changes, sent=asyncio.Event())
    positions = [each.position for each in changes]
    seen = await until(
        lambda: read_changes(bootstrap_servers, positions), lambda seen: len(seen) >= len(changes)
    )
    partitions = {each.partition for each in seen}
    orders = [[each.position for each in seen if each.partition == n] for n in partitions]

    assert len(seen) == len(changes)
    assert [sorted(order) for order in orders] == orders
